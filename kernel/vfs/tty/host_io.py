"""Reading and writing the user's own descriptors without ever making the machine wait."""

from __future__ import annotations

import fcntl
import os
import select
import stat

from kernel.base.errors import from_host
from kernel.base.wait import HostReady
from kernel.vfs.core.linux_abi import POLLERR, POLLHUP, POLLIN, POLLOUT
from kernel.vfs.core.open_file import Sources

SAFE_WRITE = 4096
"""Bytes that a pipe or terminal which poll(2) calls writable takes without blocking."""

_GUEST_EVENTS = (
    (select.POLLIN, POLLIN),
    (select.POLLOUT, POLLOUT),
    (select.POLLERR, POLLERR),
    (select.POLLHUP, POLLHUP),
)


def unblocking(fd: int) -> int:
    """A separate, non-blocking description for the user's pipe or terminal.

    Another reader may take the data that poll(2) reported, and a stopped terminal reports itself as
    writable; a blocked write would delay Ctrl-C. Returns ``fd`` itself where the user may not open
    it.
    """
    mode = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE
    if not stat.S_ISFIFO(os.fstat(fd).st_mode) and not os.isatty(fd):
        return fd
    try:
        return os.open(f"/proc/self/fd/{fd}", mode | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return fd


def ready(fd: int, events: int) -> int:
    """The guest's poll bits that are true of the host's ``fd`` now.

    The user's descriptors are shared with other programs, so they are never set non-blocking.
    """
    asked = sum(host for host, guest in _GUEST_EVENTS if guest & events)
    poller = select.poll()
    poller.register(fd, asked)
    found = poller.poll(0)
    answer = found[0][1] if found else 0
    return sum(guest for host, guest in _GUEST_EVENTS if answer & host)


def read(fd: int, count: int) -> bytes | None:
    """Up to ``count`` bytes; None when nothing is there yet."""
    if not ready(fd, POLLIN):
        return None
    try:
        return os.read(fd, count)
    except BlockingIOError:
        return None
    except OSError as error:
        raise from_host(error) from None


def write(fd: int, data: bytes) -> int | None:
    """How many bytes went; None when there is no room yet."""
    done = 0
    try:
        while done < len(data) and ready(fd, POLLOUT):
            done += os.write(fd, data[done : done + SAFE_WRITE])
    except BlockingIOError:
        pass
    except OSError as error:
        if not done:
            raise from_host(error) from None
    return done or None


def sources(fd: int, events: int) -> Sources:
    return Sources((), (HostReady(fd, events & (POLLIN | POLLOUT)),))
