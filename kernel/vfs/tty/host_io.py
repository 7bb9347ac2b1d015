"""Reads and writes of the user's descriptors, without blocking the machine."""

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
"""Number of bytes that a pipe or terminal accepts without blocking when POLLOUT is set."""

_GUEST_EVENTS = (
    (select.POLLIN, POLLIN),
    (select.POLLOUT, POLLOUT),
    (select.POLLERR, POLLERR),
    (select.POLLHUP, POLLHUP),
)


def open_nonblocking(fd: int) -> int:
    """Opens a separate, non-blocking description of the user's pipe or terminal.

    Another reader may take the data that poll(2) reported, and a stopped terminal reports POLLOUT;
    a blocked write would delay Ctrl-C. Returns ``fd`` itself when it cannot be opened again.
    """
    mode = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE
    if not stat.S_ISFIFO(os.fstat(fd).st_mode) and not os.isatty(fd):
        return fd
    try:
        return os.open(f"/proc/self/fd/{fd}", mode | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return fd


def ready(fd: int, events: int) -> int:
    """Polls the host's ``fd``; returns the guest's event bits.

    Other programs share the user's descriptors, so they are never set to non-blocking mode.
    """
    requested = sum(host for host, guest in _GUEST_EVENTS if guest & events)
    poller = select.poll()
    poller.register(fd, requested)
    found = poller.poll(0)
    result = found[0][1] if found else 0
    return sum(guest for host, guest in _GUEST_EVENTS if result & host)


def read(fd: int, count: int) -> bytes | None:
    """Reads up to ``count`` bytes; None when it would block."""
    if not ready(fd, POLLIN):
        return None
    try:
        return os.read(fd, count)
    except BlockingIOError:
        return None
    except OSError as error:
        raise from_host(error) from None


def write(fd: int, data: bytes) -> int | None:
    """Returns the number of bytes written; None when it would block."""
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
