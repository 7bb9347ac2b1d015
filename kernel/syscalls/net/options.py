"""Options of sockets (getsockopt(2), setsockopt(2); socket(7), tcp(7), ip(7), ipv6(7)).

Options that the network inside the machine has no use for are stored and returned.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from kernel.base.errno import (
    EDOM,
    EINVAL,
    ENOPROTOOPT,
    EOPNOTSUPP,
    EPERM,
)
from kernel.base.errors import Errno
from kernel.base.wait import Result
from kernel.syscalls.context import SyscallContext
from kernel.syscalls.net.arguments import SO_RCVTIMEO, SO_SNDTIMEO, SOL_SOCKET, socket_of
from kernel.vfs.proc.net import tcp_state
from kernel.vfs.sockets.inet_address import AF_INET, AF_INET6
from kernel.vfs.sockets.inet_socket import IPPROTO_IPV6, IPV6_V6ONLY, InetSocket
from kernel.vfs.sockets.message import DEFAULT_CAPACITY
from kernel.vfs.sockets.socket_file import SOCK_STREAM, Socket
from kernel.vfs.sockets.tcp_socket import TcpSocket
from kernel.vfs.sockets.unix_names import AF_UNIX

IPPROTO_IP, IPPROTO_TCP, IPPROTO_UDP = 0, 6, 17
SO_DEBUG, SO_REUSEADDR, SO_TYPE, SO_ERROR, SO_DONTROUTE, SO_BROADCAST = 1, 2, 3, 4, 5, 6
SO_SNDBUF, SO_RCVBUF, SO_KEEPALIVE, SO_OOBINLINE, SO_NO_CHECK, SO_PRIORITY = 7, 8, 9, 10, 11, 12
SO_LINGER, SO_REUSEPORT, SO_PASSCRED, SO_PEERCRED, SO_RCVLOWAT, SO_SNDLOWAT = 13, 15, 16, 17, 18, 19
SO_BINDTODEVICE, SO_TIMESTAMP, SO_ACCEPTCONN, SO_PEERSEC, SO_SNDBUFFORCE = 25, 29, 30, 31, 32
SO_RCVBUFFORCE, SO_PASSSEC, SO_TIMESTAMPNS, SO_MARK, SO_PROTOCOL, SO_DOMAIN = 33, 34, 35, 36, 38, 39
SO_PEEK_OFF, SO_PEERGROUPS, SO_INCOMING_CPU, SO_COOKIE, SO_PEERPIDFD = 42, 59, 49, 57, 77
SO_BUSY_POLL, SO_MAX_PACING_RATE, SO_ZEROCOPY, SO_TXTIME = 46, 47, 60, 61
_LAST = 83
"""SO_INQ, the last option of Linux 6.18."""
_STORED: Final = frozenset(
    (
        *(SO_DEBUG, SO_REUSEADDR, SO_DONTROUTE, SO_BROADCAST, SO_KEEPALIVE, SO_OOBINLINE),
        *(SO_NO_CHECK, SO_REUSEPORT, SO_PASSCRED, SO_TIMESTAMP, SO_TIMESTAMPNS, SO_PASSSEC),
        SO_BUSY_POLL,
    )
)
"""Options that are true or false."""
_NUMBERS: Final = {SO_PRIORITY: 0, SO_RCVLOWAT: 1, SO_MARK: 0, SO_PEEK_OFF: -1, SO_INCOMING_CPU: -1}
"""Options that are numbers, with their defaults."""
_READ_ONLY: Final = frozenset(
    (SO_TYPE, SO_PROTOCOL, SO_DOMAIN, SO_ERROR, SO_ACCEPTCONN, SO_PEERCRED)
)
_LEAST_SNDBUF, _LEAST_RCVBUF = 4608, 2304
_MOST_BUFFER = DEFAULT_CAPACITY
_MSS = 65_483
_OTHER_LEVELS: Final[dict[int, dict[int, int]]] = {
    # TCP_NODELAY, MAXSEG, CORK, KEEPIDLE, KEEPINTVL, KEEPCNT, SYNCNT, LINGER2, DEFER_ACCEPT,
    # WINDOW_CLAMP, QUICKACK, USER_TIMEOUT, FASTOPEN
    IPPROTO_TCP: {1: 0, 2: _MSS, 3: 0, 4: 7200, 5: 75, 6: 9, 7: 6, 8: 60, 9: 0, 10: 0, 12: 1, 18: 0}
    | {23: 0, 25: 0, 30: 0},
    # IP_TOS, TTL, HDRINCL, RECVOPTS, PKTINFO, MTU_DISCOVER, RECVERR, RECVTTL, RECVTOS, MTU,
    # FREEBIND, TRANSPARENT, MULTICAST_TTL, MULTICAST_LOOP, BIND_ADDRESS_NO_PORT
    IPPROTO_IP: {1: 0, 2: 64, 3: 0, 6: 0, 8: 0, 10: 1, 11: 0, 12: 0, 13: 0, 14: 65536, 15: 0, 19: 0}
    | {33: 1, 34: 1, 24: 0},
    # IPV6_UNICAST_HOPS, MULTICAST_HOPS, MULTICAST_LOOP, MTU_DISCOVER, RECVERR, V6ONLY, RECVPKTINFO,
    # RECVHOPLIMIT, RECVTCLASS, TCLASS, DONTFRAG, FREEBIND
    IPPROTO_IPV6: {
        16: 64,
        18: 1,
        19: 1,
        23: 1,
        25: 0,
        26: 0,
        49: 0,
        51: 0,
        66: 0,
        67: 0,
        62: 0,
        78: 0,
    },
    IPPROTO_UDP: {1: 0, 100: 0, 103: 0, 104: 0},
}
"""Defaults by level and option."""


def getsockopt(
    t: SyscallContext, fd: int, level: int, option: int, value: int, size: int
) -> Result:
    file = socket_of(t, fd)
    room = struct.unpack("<i", t.mem.read(size, 4))[0]
    if room < 0:
        raise Errno(EINVAL)
    packed = _get(file, level, option)
    cut = packed[:room]
    if cut:
        t.mem.write(value, cut)
    t.mem.write_u32(size, len(cut))
    return 0


def _get(file: Socket, level: int, option: int) -> bytes:
    if level != SOL_SOCKET:
        return _get_of_protocol(file, level, option)
    if option in _COMPUTED:
        return _COMPUTED[option](file)
    stored = file.options.get((level, option))
    if stored is not None:
        return stored
    if option in (SO_RCVTIMEO, SO_SNDTIMEO):
        return bytes(16)
    if option == SO_LINGER:
        return bytes(8)
    if option in _STORED:
        return bytes(4)
    if option in _NUMBERS:
        return _int(_NUMBERS[option])
    raise Errno(ENOPROTOOPT)


def _int(value: int) -> bytes:
    return struct.pack("<i", value)


def _buffer(file: Socket, option: int) -> bytes:
    return file.options.get((SOL_SOCKET, option), _int(DEFAULT_CAPACITY))


def _peer_ids(file: Socket) -> bytes:
    pid, uid, gid = file.peer_ids
    if not pid:
        return struct.pack("<iii", 0, -1, -1)
    return struct.pack("<iII", pid, uid, gid)


_COMPUTED: Final[dict[int, Callable[[Socket], bytes]]] = {
    SO_TYPE: lambda file: _int(file.type),
    SO_PROTOCOL: lambda file: _int(file.protocol),
    SO_DOMAIN: lambda file: _int(file.domain),
    SO_ERROR: lambda file: _int(file.take_error()),
    SO_ACCEPTCONN: lambda file: _int(file.is_listening),
    SO_SNDBUF: lambda file: _buffer(file, SO_SNDBUF),
    SO_RCVBUF: lambda file: _buffer(file, SO_RCVBUF),
    SO_PEERCRED: _peer_ids,
    SO_SNDLOWAT: lambda file: _int(1),
    SO_COOKIE: lambda file: struct.pack("<Q", file.inode.stat().ino),
    SO_BINDTODEVICE: lambda file: b"",
}


def _check_level(file: Socket, level: int, unknown: int) -> None:
    """EOPNOTSUPP, or ``unknown`` for a level that sockets of IPv4 do not have."""
    if file.domain == AF_UNIX:
        raise Errno(EOPNOTSUPP)
    protocol = IPPROTO_TCP if file.type == SOCK_STREAM else IPPROTO_UDP
    if level in (IPPROTO_TCP, IPPROTO_UDP) and level != protocol:
        raise Errno(EOPNOTSUPP if level == IPPROTO_UDP else ENOPROTOOPT)
    known = level in _OTHER_LEVELS and (level != IPPROTO_IPV6 or file.domain == AF_INET6)
    if not known:
        raise Errno(unknown if file.domain == AF_INET else ENOPROTOOPT)


_TCP_INFO, _TCP_CONGESTION = 11, 13


def _get_of_protocol(file: Socket, level: int, option: int) -> bytes:
    _check_level(file, level, EOPNOTSUPP)
    if isinstance(file, TcpSocket) and level == IPPROTO_TCP:
        if option == _TCP_INFO:
            return bytes([tcp_state(file)]) + bytes(231)
        if option == _TCP_CONGESTION:
            return b"cubic".ljust(16, b"\0")
    if option not in _OTHER_LEVELS[level]:
        raise Errno(ENOPROTOOPT)
    return file.options.get((level, option), _int(_OTHER_LEVELS[level][option]))


def setsockopt(
    t: SyscallContext, fd: int, level: int, option: int, value: int, size: int
) -> Result:
    file = socket_of(t, fd)
    if size >= 1 << 31:
        raise Errno(EINVAL)
    if level == SOL_SOCKET:
        _set(t, file, option, value, size)
    else:
        _set_of_protocol(t, file, level, option, value, size)
    return 0


def _set(t: SyscallContext, file: Socket, option: int, value: int, size: int) -> None:
    if option == SO_BINDTODEVICE:
        raise Errno(EPERM)
    if size < 4:
        raise Errno(EINVAL)
    if option in _READ_ONLY or not 0 < option <= _LAST:
        raise Errno(ENOPROTOOPT)
    if option in (SO_RCVTIMEO, SO_SNDTIMEO):
        _set_timeout(t, file, option, value, size)
        return
    if option == SO_LINGER:
        if size < 8:
            raise Errno(EINVAL)
        on, seconds = struct.unpack("<ii", t.mem.read(value, 8))
        file.options[SOL_SOCKET, option] = struct.pack("<ii", on != 0, seconds)
        return
    number = struct.unpack("<i", t.mem.read(value, 4))[0]
    if option in _STORED:
        if option == SO_REUSEPORT and not isinstance(file, InetSocket) and number:
            raise Errno(EOPNOTSUPP)
        file.options[SOL_SOCKET, option] = _int(number != 0)
    elif option in (SO_SNDBUF, SO_RCVBUF, SO_SNDBUFFORCE, SO_RCVBUFFORCE):
        _set_buffer(file, option, number)
    elif option in _NUMBERS:
        file.options[SOL_SOCKET, option] = _int(number)


def _set_timeout(t: SyscallContext, file: Socket, option: int, value: int, size: int) -> None:
    if size < 16:
        raise Errno(EINVAL)
    raw = t.mem.read(value, 16)
    seconds, micros = struct.unpack("<qq", raw)
    if not 0 <= micros < 1_000_000:
        raise Errno(EDOM)
    file.options[SOL_SOCKET, option] = raw if seconds >= 0 else bytes(16)


def _set_buffer(file: Socket, option: int, size: int) -> None:
    """Linux doubles the size, for its own records."""
    is_receive = option in (SO_RCVBUF, SO_RCVBUFFORCE)
    least = _LEAST_RCVBUF if is_receive else _LEAST_SNDBUF
    size = max(2 * min(max(size, 0), _MOST_BUFFER), least)
    name = SO_RCVBUF if is_receive else SO_SNDBUF
    file.options[SOL_SOCKET, name] = _int(size)
    if is_receive and isinstance(file, InetSocket):
        file.queue.capacity = size


def _set_of_protocol(
    t: SyscallContext, file: Socket, level: int, option: int, value: int, size: int
) -> None:
    _check_level(file, level, ENOPROTOOPT)
    if level == IPPROTO_TCP and option == _TCP_CONGESTION:
        return
    if option not in _OTHER_LEVELS[level]:
        raise Errno(ENOPROTOOPT)
    raw = (
        t.mem.read(value, 4) if size >= 4 else t.mem.read(value, 1).ljust(4, b"\0") if size else b""
    )
    if not raw:
        raise Errno(EINVAL)
    is_bound = isinstance(file, InetSocket) and file.address is not None
    if level == IPPROTO_IPV6 and option == IPV6_V6ONLY and is_bound:
        raise Errno(EINVAL)
    file.options[level, option] = raw
