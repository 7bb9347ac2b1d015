"""Arguments of the calls on sockets: the socket, addresses, and waiting for it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, TypeVar

from kernel.base.budget import Cost, Kind
from kernel.base.errno import EAGAIN, EINVAL, ENOBUFS, ENOTSOCK
from kernel.base.errors import Errno
from kernel.base.wait import Blocking, Result, Wait
from kernel.syscalls.context import SyscallContext
from kernel.vfs.core.linux_abi import POLLIN
from kernel.vfs.sockets.inet_address import parse as parse_inet
from kernel.vfs.sockets.message import Sender
from kernel.vfs.sockets.socket_file import Network, Socket

LARGEST_ADDRESS = 128
"""sizeof(struct sockaddr_storage)."""
SOL_SOCKET = 1
SO_RCVTIMEO, SO_SNDTIMEO = 20, 21
_SECOND, _MICROSECOND = 1_000_000_000, 1000
Value = TypeVar("Value")


def socket_of(t: SyscallContext, fd: int) -> Socket:
    file = t.files.get_usable(fd)
    if not isinstance(file, Socket):
        raise Errno(ENOTSOCK)
    return file


def network_of(t: SyscallContext) -> Network:
    return t.fs.namespace.network


def sender_of(t: SyscallContext) -> Sender:
    return Sender(t.process.pid, t.fs.credentials.uid, t.fs.credentials.gid)


def read_address(t: SyscallContext, address: int, size: int) -> bytes:
    if not 0 <= size <= LARGEST_ADDRESS:
        raise Errno(EINVAL)
    return t.mem.read(address, size) if size else b""


def inet_address(file: Socket, raw: bytes) -> Any:
    return parse_inet(raw, file.domain)


def write_address(t: SyscallContext, address: int, size: int, packed: bytes) -> None:
    """Writes as much of an address as there is room for, and its true size."""
    if not address:
        return
    room = struct.unpack("<i", t.mem.read(size, 4))[0]
    if room < 0:
        raise Errno(EINVAL)
    if packed[:room]:
        t.mem.write(address, packed[:room])
    t.mem.write_u32(size, len(packed))


def deadline(t: SyscallContext, file: Socket, option: int) -> int | None:
    """The end of a wait that SO_RCVTIMEO or SO_SNDTIMEO sets; None for no limit."""
    value = file.options.get((SOL_SOCKET, option))
    if value is None or not any(value):
        return None
    seconds, micros = struct.unpack("<qq", value)
    return t.kernel.clock.monotonic() + int(seconds) * _SECOND + int(micros) * _MICROSECOND


def until(
    t: SyscallContext,
    file: Socket,
    events: int,
    attempt: Callable[[], int | None],
    charge: int = Cost.WAITED,
) -> Blocking:
    """Repeats ``attempt`` until it returns a result, as ``file`` changes; EAGAIN at the deadline.

    ``events`` are those of poll(2) that may change the result; ``charge`` is the memory of the
    waiting call.
    """
    option = SO_RCVTIMEO if events & POLLIN else SO_SNDTIMEO
    end = deadline(t, file, option)
    file.acquire()
    try:
        while True:
            queues, host, _ = file.sources(events)
            with t.fs.namespace.budget.charged(Kind.WAIT, charge, ENOBUFS):
                yield Wait(file.describe(), queues, host, end)
            result = attempt()
            if result is not None:
                return result
            if end is not None and t.kernel.clock.monotonic() >= end:
                raise Errno(EAGAIN)
    finally:
        file.release()


def now_or_later(
    t: SyscallContext,
    file: Socket,
    events: int,
    attempt: Callable[[], int | None],
    *,
    dont_wait: bool,
) -> Result:
    result = attempt()
    if result is not None:
        return result
    if dont_wait or file.nonblocking:
        raise Errno(EAGAIN)
    return until(t, file, events, attempt)
