"""Pairs of connected sockets; a guest has no network (socket(7))."""

from __future__ import annotations

import struct

from kernel.base.budget import Cost, Kind
from kernel.base.errno import (
    EAFNOSUPPORT,
    EAGAIN,
    EFAULT,
    EINVAL,
    EISCONN,
    EMSGSIZE,
    ENOBUFS,
    ENOPROTOOPT,
    ENOTSOCK,
    EOPNOTSUPP,
    EPIPE,
    EPROTONOSUPPORT,
    ESOCKTNOSUPPORT,
)
from kernel.base.errors import Errno
from kernel.base.wait import Blocking, Result
from kernel.syscalls.context import SyscallContext
from kernel.syscalls.files.openat import install_pair
from kernel.syscalls.transfer import wait_for, write_from
from kernel.syscalls.user_buffers import Buffers, Span, read_iovec
from kernel.vfs.core.linux_abi import MAX_RW, O_CLOEXEC, O_NONBLOCK, POLLIN, POLLOUT, SIGPIPE
from kernel.vfs.ipc.unix_socket import (
    CAPACITY,
    SOCK_DGRAM,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    Socket,
    socket_pair,
)

AF_UNIX = 1
SOCK_RAW, SOCK_LAST = 3, 10
MSG_PEEK, MSG_TRUNC, MSG_DONTWAIT, MSG_WAITALL, MSG_NOSIGNAL = 2, 0x20, 0x40, 0x100, 0x4000
MSG_CMSG_CLOEXEC = 0x40000000
SOL_SOCKET = 1
SO_TYPE, SO_ERROR, SO_SNDBUF, SO_RCVBUF, SO_ACCEPTCONN = 3, 4, 7, 8, 30
SO_LAST = 83
"""SO_INQ, the last option of Linux 6.18; the values of options are not stored."""
SO_PROTOCOL, SO_DOMAIN, SO_PEERCRED = 38, 39, 17
MAX_TRANSFER = 1 << 20
_MSGHDR = struct.Struct("<QI4xQQQQi4x")
"""struct msghdr: name, namelen, iov, iovlen, control, controllen, flags."""


def socket(t: SyscallContext, domain: int, type_: int, protocol: int) -> Result:
    raise Errno(EAFNOSUPPORT)


def socketpair(t: SyscallContext, domain: int, type_: int, protocol: int, address: int) -> Result:
    kind = type_ & 0xF
    if kind == SOCK_RAW:
        kind = SOCK_DGRAM  # as in unix(7)
    if domain != AF_UNIX:
        raise Errno(EAFNOSUPPORT)
    if type_ & ~(0xF | O_NONBLOCK | O_CLOEXEC) or kind > SOCK_LAST:
        raise Errno(EINVAL)
    if kind not in (SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET):
        raise Errno(ESOCKTNOSUPPORT)
    if protocol not in (0, AF_UNIX):
        raise Errno(EPROTONOSUPPORT)
    pair = socket_pair(t.fs.namespace.sockets, kind, type_ & O_NONBLOCK)
    return install_pair(t, address, pair, bool(type_ & O_CLOEXEC))


def _socket(t: SyscallContext, fd: int) -> Socket:
    file = t.files.get_usable(fd)
    if not isinstance(file, Socket):
        raise Errno(ENOTSOCK)
    return file


def connected(t: SyscallContext, fd: int, *arguments: int) -> Result:
    """Fails: every socket is connected already (connect(2))."""
    _socket(t, fd)
    raise Errno(EISCONN)


def unsupported(t: SyscallContext, fd: int, *arguments: int) -> Result:
    """Fails: not supported on connected sockets (bind(2), listen(2), accept(2), accept4(2))."""
    _socket(t, fd)
    raise Errno(EOPNOTSUPP)


def sendto(
    t: SyscallContext, fd: int, buffer: int, count: int, flags: int, to: int, to_size: int
) -> Result:
    if to:
        _socket(t, fd)
        raise Errno(EISCONN)
    return _send(t, _socket(t, fd), [(buffer, min(count, MAX_RW))], flags)


def sendmsg(t: SyscallContext, fd: int, message: int, flags: int) -> Result:
    file = _socket(t, fd)
    fields = _MSGHDR.unpack(t.mem.read(message, _MSGHDR.size))
    iov, count, control, control_size = fields[2:6]
    if fields[0] and fields[1]:
        raise Errno(EISCONN)
    if control and control_size:  # passing descriptors is not supported
        raise Errno(EOPNOTSUPP)
    return _send(t, file, read_iovec(t, iov, min(count, 1 << 31)), flags)


def _send(t: SyscallContext, file: Socket, spans: list[Span], flags: int) -> Result:
    if file.type != SOCK_STREAM:
        return _send_message(t, file, spans, flags)
    if not flags & (MSG_DONTWAIT | MSG_NOSIGNAL):
        return write_from(t, file, spans)
    buffers = Buffers(t.mem, spans)
    data = buffers.take(MAX_TRANSFER) if buffers.remaining else b""
    count = _write(t, file, data, flags)
    if count is None or (count < len(data) and not flags & MSG_DONTWAIT):
        if file.nonblocking or flags & MSG_DONTWAIT:
            raise Errno(EAGAIN)
        return _wait_and_send(t, file, data[count or 0 :], flags, count or 0)
    return count


def _send_message(t: SyscallContext, file: Socket, spans: list[Span], flags: int) -> Result:
    buffers = Buffers(t.mem, spans)
    total = buffers.remaining
    data = buffers.take(MAX_TRANSFER) if total else b""
    if len(data) < total:
        raise Errno(EFAULT if total <= MAX_TRANSFER else EMSGSIZE)
    count = _write(t, file, data, flags)
    if count is not None:
        return count
    if file.nonblocking or flags & MSG_DONTWAIT:
        raise Errno(EAGAIN)
    return _wait_and_send(t, file, data, flags, 0)


def _write(t: SyscallContext, file: Socket, data: bytes, flags: int) -> int | None:
    try:
        return file.write(data)
    except Errno as error:
        if error.errno == EPIPE and not flags & MSG_NOSIGNAL:
            t.send_signal(SIGPIPE)
        raise


def _wait_and_send(t: SyscallContext, file: Socket, data: bytes, flags: int, done: int) -> Blocking:
    file.acquire()
    try:
        while True:
            with t.fs.namespace.budget.charged(Kind.WAIT, len(data), ENOBUFS):
                yield wait_for(file, POLLOUT)
            count = _write(t, file, data, flags)
            if count is not None:
                done += count
                data = data[count:]
                if not data:
                    return done
    finally:
        file.release()


def recvfrom(
    t: SyscallContext, fd: int, buffer: int, count: int, flags: int, source: int, size: int
) -> Result:
    file = _socket(t, fd)
    if source and size:
        t.mem.write(size, struct.pack("<I", 0))
    return _receive(t, file, [(buffer, min(count, MAX_RW))], flags, 0)


def recvmsg(t: SyscallContext, fd: int, message: int, flags: int) -> Result:
    file = _socket(t, fd)
    fields = _MSGHDR.unpack(t.mem.read(message, _MSGHDR.size))
    spans = read_iovec(t, fields[2], min(fields[3], 1 << 31))
    return _receive(t, file, spans, flags & ~MSG_CMSG_CLOEXEC, message)


def _receive(
    t: SyscallContext, file: Socket, spans: list[Span], flags: int, message: int
) -> Result:
    if flags & ~(MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT | MSG_WAITALL | MSG_NOSIGNAL):
        raise Errno(EOPNOTSUPP)
    done = _receive_now(t, file, spans, flags, message)
    if done is not None:
        return done
    if file.nonblocking or flags & MSG_DONTWAIT:
        raise Errno(EAGAIN)
    return _wait_and_receive(t, file, spans, flags, message)


def _wait_and_receive(
    t: SyscallContext, file: Socket, spans: list[Span], flags: int, message: int
) -> Blocking:
    file.acquire()
    try:
        while True:
            with t.fs.namespace.budget.charged(Kind.WAIT, Cost.WAITED * len(spans), ENOBUFS):
                yield wait_for(file, POLLIN)
            done = _receive_now(t, file, spans, flags, message)
            if done is not None:
                return done
    finally:
        file.release()


def _receive_now(
    t: SyscallContext, file: Socket, spans: list[Span], flags: int, message: int
) -> int | None:
    buffers = Buffers(t.mem, spans)
    room = min(buffers.remaining, MAX_TRANSFER)
    received = file.incoming.take(room, peek=bool(flags & MSG_PEEK))
    if received is None:
        return None
    data, length = received
    if buffers.fill(data) < len(data):
        raise Errno(EFAULT)
    if message:
        # No address, no control data; MSG_TRUNC when the message was longer than the buffers.
        t.mem.write(message + 8, struct.pack("<I", 0))
        t.mem.write(message + 40, struct.pack("<Qi", 0, MSG_TRUNC if length > len(data) else 0))
    return length if flags & MSG_TRUNC else len(data)


def shutdown(t: SyscallContext, fd: int, how: int) -> Result:
    file = _socket(t, fd)
    if not 0 <= how <= 2:
        raise Errno(EINVAL)
    if how != 1:
        file.shutdown_read()
    if how != 0:
        file.shutdown_write()
    return 0


def getsockname(t: SyscallContext, fd: int, address: int, size: int) -> Result:
    """Returns the family alone: sockets of a pair have no name."""
    _socket(t, fd)
    room = t.mem.read_u32(size)
    if room >= 1 << 31:
        raise Errno(EINVAL)
    t.mem.write(address, struct.pack("<H", AF_UNIX)[:room])
    t.mem.write_u32(size, 2)
    return 0


def getsockopt(
    t: SyscallContext, fd: int, level: int, option: int, value: int, size: int
) -> Result:
    file = _socket(t, fd)
    if level != SOL_SOCKET:
        raise Errno(EOPNOTSUPP)
    if option == SO_PEERCRED:
        packed = struct.pack("<iII", t.process.pid, t.fs.credentials.uid, t.fs.credentials.gid)
    else:
        values = {
            SO_TYPE: file.type, SO_ERROR: 0, SO_SNDBUF: CAPACITY, SO_RCVBUF: CAPACITY,
            SO_ACCEPTCONN: 0, SO_PROTOCOL: 0, SO_DOMAIN: AF_UNIX,
        }  # fmt: skip
        if option not in values:
            raise Errno(ENOPROTOOPT)
        packed = struct.pack("<i", values[option])
    room = min(t.mem.read_u32(size), len(packed))
    t.mem.write(value, packed[:room])
    t.mem.write_u32(size, room)
    return 0


def setsockopt(
    t: SyscallContext, fd: int, level: int, option: int, value: int, size: int
) -> Result:
    _socket(t, fd)
    if level != SOL_SOCKET:
        raise Errno(EOPNOTSUPP)
    if size < 4:
        raise Errno(EINVAL)
    if not 0 < option <= SO_LAST:
        raise Errno(ENOPROTOOPT)
    return 0
