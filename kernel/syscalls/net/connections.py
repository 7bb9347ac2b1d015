"""Creating, naming, connecting and ending sockets (socket(2), bind(2), listen(2), accept(2))."""

from __future__ import annotations

from kernel.base.errno import (
    EACCES,
    EADDRINUSE,
    EAFNOSUPPORT,
    EEXIST,
    EINVAL,
    EOPNOTSUPP,
    EPERM,
    EPROTONOSUPPORT,
    ESOCKTNOSUPPORT,
)
from kernel.base.errors import Errno
from kernel.base.wait import Result
from kernel.syscalls.context import SyscallContext
from kernel.syscalls.files.openat import install_pair
from kernel.syscalls.net.arguments import (
    inet_address,
    network_of,
    now_or_later,
    read_address,
    sender_of,
    socket_of,
    write_address,
)
from kernel.vfs.core.linux_abi import O_CLOEXEC, O_NONBLOCK, POLLIN
from kernel.vfs.names import create_remove
from kernel.vfs.sockets import unix_names
from kernel.vfs.sockets.inet_address import AF_INET, AF_INET6
from kernel.vfs.sockets.inet_socket import IPPROTO_TCP, IPPROTO_UDP
from kernel.vfs.sockets.netlink import AF_NETLINK, NETLINK_ROUTE, NetlinkSocket
from kernel.vfs.sockets.socket_file import (
    SOCK_DGRAM,
    SOCK_RAW,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    Socket,
    SocketType,
)
from kernel.vfs.sockets.tcp_socket import TcpSocket
from kernel.vfs.sockets.udp_socket import UdpSocket
from kernel.vfs.sockets.unix_names import AF_UNIX
from kernel.vfs.sockets.unix_socket import UnixDatagram, UnixStream, socket_pair, unix_socket

_SOCK_LAST = 10
_AF_LAST = 45
_PROTOCOLS = 263
_IPPROTO_ICMP = 1
_INET = {
    SOCK_STREAM: (TcpSocket, IPPROTO_TCP),
    SOCK_DGRAM: (UdpSocket, IPPROTO_UDP),
}


def socket(t: SyscallContext, domain: int, type_: int, protocol: int) -> Result:
    kind, flags = _split(domain, type_)
    if domain == AF_UNIX:
        kind = _unix_type(kind, protocol)
        file: Socket = unix_socket(network_of(t), kind, flags, sender_of(t))
    elif domain in (AF_INET, AF_INET6):
        file = _inet_socket(t, SocketType(domain, kind, protocol), flags)
    elif domain == AF_NETLINK:
        file = _netlink_socket(t, SocketType(domain, kind, protocol), flags)
    else:
        raise Errno(EAFNOSUPPORT)
    return _install(t, file, type_)


def _install(t: SyscallContext, file: Socket, type_: int) -> int:
    return t.files.install(file, cloexec=bool(type_ & O_CLOEXEC))


def _split(domain: int, type_: int) -> tuple[int, int]:
    """The kind of socket and the flags of its file; EINVAL."""
    kind = type_ & 0xF
    if type_ & ~(0xF | O_NONBLOCK | O_CLOEXEC):
        raise Errno(EINVAL)
    if not 0 <= domain <= _AF_LAST:
        raise Errno(EAFNOSUPPORT)
    if kind > _SOCK_LAST:
        raise Errno(EINVAL)
    return kind, type_ & O_NONBLOCK


def _unix_type(kind: int, protocol: int) -> int:
    if protocol not in (0, AF_UNIX):
        raise Errno(EPROTONOSUPPORT)
    if kind == SOCK_RAW:
        return SOCK_DGRAM  # as in unix(7)
    if kind not in (SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET):
        raise Errno(ESOCKTNOSUPPORT)
    return kind


def _inet_socket(t: SyscallContext, of: SocketType, flags: int) -> Socket:
    if not 0 <= of.protocol < _PROTOCOLS:
        raise Errno(EINVAL)
    if of == (AF_INET, SOCK_DGRAM, _IPPROTO_ICMP):
        raise Errno(EACCES)  # net.ipv4.ping_group_range
    if of.type == SOCK_RAW:
        raise Errno(EPERM if of.protocol else EPROTONOSUPPORT)
    if of.type not in _INET:
        raise Errno(ESOCKTNOSUPPORT)
    make, protocol = _INET[of.type]
    if of.protocol not in (0, protocol):
        raise Errno(EPROTONOSUPPORT)
    return make(network_of(t), of._replace(protocol=protocol), flags, sender_of(t))


def _netlink_socket(t: SyscallContext, of: SocketType, flags: int) -> Socket:
    if of.type not in (SOCK_RAW, SOCK_DGRAM):
        raise Errno(ESOCKTNOSUPPORT)
    if of.protocol != NETLINK_ROUTE:
        raise Errno(EPROTONOSUPPORT)
    return NetlinkSocket(network_of(t), of, flags, sender_of(t))


def socketpair(t: SyscallContext, domain: int, type_: int, protocol: int, address: int) -> Result:
    kind, flags = _split(domain, type_)
    if domain != AF_UNIX:
        _check_no_pair(domain, kind)
    kind = _unix_type(kind, protocol)
    pair = socket_pair(network_of(t), kind, flags, sender_of(t))
    return install_pair(t, address, pair, bool(type_ & O_CLOEXEC))


def _check_no_pair(domain: int, kind: int) -> None:
    known = domain in (AF_INET, AF_INET6) and kind in _INET
    raise Errno(EOPNOTSUPP if known else EAFNOSUPPORT)


# Names.


def bind(t: SyscallContext, fd: int, address: int, size: int) -> Result:
    file = socket_of(t, fd)
    raw = read_address(t, address, size)
    if isinstance(file, UnixStream | UnixDatagram):
        _bind_unix(t, file, raw)
    elif isinstance(file, NetlinkSocket):
        file.bind_port(raw, t.process.pid)
    else:
        file.bind(inet_address(file, raw), privileged=t.fs.credentials.uid == 0)
    return 0


def _bind_unix(t: SyscallContext, file: UnixStream | UnixDatagram, raw: bytes) -> None:
    if len(raw) == 2 and unix_names.family_of(raw) == AF_UNIX:
        file.check_unbound()
        file.bind_automatically()
        return
    name = unix_names.parse(raw)
    if name[:1] == b"\0":
        file.check_unbound()
        file.bind_to(name, None)
        return
    path = name.decode("utf-8", "surrogateescape")
    try:
        node = create_remove.make_socket(t.fs, t.fs.cwd, path, 0o777)
    except Errno as error:
        raise Errno(EADDRINUSE) if error.errno == EEXIST else error from None
    if file.name:  # found after the node was made, as by Linux
        create_remove.remove_file(t.fs, t.fs.cwd, path)
    file.check_unbound()
    file.bind_to(name, node)


def getsockname(t: SyscallContext, fd: int, address: int, size: int) -> Result:
    write_address(t, address, size, socket_of(t, fd).local_name())
    return 0


def getpeername(t: SyscallContext, fd: int, address: int, size: int) -> Result:
    write_address(t, address, size, socket_of(t, fd).peer_name())
    return 0


# Connections.


def listen(t: SyscallContext, fd: int, backlog: int) -> Result:
    socket_of(t, fd).listen(backlog)
    return 0


def accept(t: SyscallContext, fd: int, address: int, size: int) -> Result:
    return accept4(t, fd, address, size, 0)


def accept4(t: SyscallContext, fd: int, address: int, size: int, flags: int) -> Result:
    if flags & ~(O_NONBLOCK | O_CLOEXEC):
        raise Errno(EINVAL)
    file = socket_of(t, fd)

    def attempt() -> int | None:
        accepted = file.accept(flags & O_NONBLOCK)
        if accepted is None:
            return None
        accepted.acquire()
        try:
            write_address(t, address, size, _peer_or_family(accepted))
            return _install(t, accepted, flags)
        finally:
            accepted.release()

    return now_or_later(t, file, POLLIN, attempt, dont_wait=False)


def _peer_or_family(file: Socket) -> bytes:
    try:
        return file.peer_name()
    except Errno:
        return file.domain.to_bytes(2, "little")


def shutdown(t: SyscallContext, fd: int, how: int) -> Result:
    file = socket_of(t, fd)
    if not 0 <= how <= 2:
        raise Errno(EINVAL)
    file.shutdown(how)
    return 0
