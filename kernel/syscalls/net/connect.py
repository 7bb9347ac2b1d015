"""Connecting sockets, and finding those of AF_UNIX by their names (connect(2))."""

from __future__ import annotations

import stat

from kernel.base.errno import (
    EAGAIN,
    EALREADY,
    ECONNREFUSED,
    EINPROGRESS,
    EINVAL,
    EISCONN,
    EPROTOTYPE,
)
from kernel.base.errors import Errno
from kernel.base.wait import Result
from kernel.syscalls.context import SyscallContext
from kernel.syscalls.net.arguments import (
    inet_address,
    network_of,
    read_address,
    socket_of,
    until,
)
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.linux_abi import POLLOUT, W_OK
from kernel.vfs.names.path_walk import walk
from kernel.vfs.sockets import unix_names
from kernel.vfs.sockets.inet_address import AF_UNSPEC
from kernel.vfs.sockets.socket_file import (
    Socket,
)
from kernel.vfs.sockets.tcp_socket import TcpSocket
from kernel.vfs.sockets.udp_socket import UdpSocket
from kernel.vfs.sockets.unix_socket import UnixDatagram, UnixStream


def connect(t: SyscallContext, fd: int, address: int, size: int) -> Result:
    file = socket_of(t, fd)
    raw = read_address(t, address, size)
    if len(raw) < 2:
        raise Errno(EINVAL)
    if isinstance(file, UnixStream | UnixDatagram):
        return _connect_unix(t, file, raw)
    if unix_names.family_of(raw) == AF_UNSPEC and isinstance(file, UdpSocket):
        file.connect(None)
        return 0
    to = inet_address(file, raw)
    if isinstance(file, UdpSocket):
        file.connect(to)
        return 0
    assert isinstance(file, TcpSocket)
    return _connect_tcp(t, file, to)


def _connect_unix(t: SyscallContext, file: UnixStream | UnixDatagram, raw: bytes) -> Result:
    if unix_names.family_of(raw) == AF_UNSPEC and isinstance(file, UnixDatagram):
        file.connect(None)
        return 0
    other = find_unix(t, unix_names.parse(raw), file)
    if file.connect(other):
        return 0
    assert isinstance(file, UnixStream)
    if file.nonblocking:
        file.stop_connecting()
        raise Errno(EAGAIN)
    return _wait_for_connection(t, file)


def find_unix(t: SyscallContext, name: bytes, file: Socket) -> Socket:
    """The socket with a name; ECONNREFUSED, and errors of the path."""
    abstract = name[:1] == b"\0"
    found = network_of(t).names.find(name) if abstract else _bound_to(t, name)
    if found is None:
        raise Errno(ECONNREFUSED)
    if found.type != file.type:
        raise Errno(EPROTOTYPE)
    return found


def _bound_to(t: SyscallContext, name: bytes) -> Socket | None:
    path = name.decode("utf-8", "surrogateescape")
    node: Inode = walk(t.fs, t.fs.cwd, path).require_node()
    node.check(W_OK, t.fs.credentials)
    if node.kind != stat.S_IFSOCK:
        return None
    found = node.socket
    return found if isinstance(found, Socket) else None


def _connect_tcp(t: SyscallContext, file: TcpSocket, to: object) -> Result:
    if file.listener is not None:
        raise Errno(EALREADY)
    if file.pending_result is not None:
        result, file.pending_result = file.pending_result, None
        file.error = 0
        if result:
            raise Errno(result)
        return 0
    if file.was_connected:
        raise Errno(EISCONN)
    try:
        done = file.connect(to)  # type: ignore[arg-type]
    except Errno as error:
        if not file.nonblocking or error.errno != ECONNREFUSED:
            raise
        file.pending_result = file.error = error.errno
        raise Errno(EINPROGRESS) from None
    if file.nonblocking:
        if done:
            file.pending_result = 0
        raise Errno(EINPROGRESS)
    return 0 if done else _wait_for_connection(t, file)


def _wait_for_connection(t: SyscallContext, file: UnixStream | TcpSocket) -> Result:
    def attempt() -> int | None:
        file.raise_error()
        return 0 if file.was_connected else None

    return until(t, file, POLLOUT, attempt)
