"""Ports of the machine at which programs of the host connect (``--publish``).

The host's socket listens while one of the guest does. A connection is a guest's socket whose data
are in the host's buffers, so nothing has to run while the guest does not ask for them.
"""

from __future__ import annotations

import select
import socket as host
from typing import Any

from kernel.base.errno import EINVAL, ENOTCONN
from kernel.base.errors import Errno, from_host
from kernel.base.wait import HostReady
from kernel.vfs.core.linux_abi import (
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLOUT,
    POLLRDHUP,
    POLLRDNORM,
    POLLWRBAND,
    POLLWRNORM,
)
from kernel.vfs.core.open_file import Sources
from kernel.vfs.sockets.inet_address import InetAddress
from kernel.vfs.sockets.message import Message
from kernel.vfs.sockets.socket_file import NOTHING, SHUT_RD, SHUT_WR, Received
from kernel.vfs.sockets.tcp_socket import TcpSocket

_MOST_CONNECTIONS = 512
"""Maximum number of open connections, which are descriptors of the host."""
_HOST_BACKLOG = 128
_HOW = {SHUT_RD: host.SHUT_RD, SHUT_WR: host.SHUT_WR}


class PublishedPort:
    """A port of the host, bound at once. Raises OSError when it cannot be."""

    def __init__(self, address: str, port: int) -> None:
        family = host.AF_INET6 if ":" in address else host.AF_INET
        self._family, self._name = family, (address, port)
        self._socket = self._bound()
        self._name = address, self.port
        self.open_connections = 0

    @property
    def port(self) -> int:
        """The host's port, which it has chosen for 0."""
        return int(self._socket.getsockname()[1])

    def _bound(self) -> host.socket:
        bound = host.socket(self._family, host.SOCK_STREAM)
        try:
            bound.setsockopt(host.SOL_SOCKET, host.SO_REUSEADDR, 1)
            bound.setblocking(False)
            bound.bind(self._name)
        except OSError:
            bound.close()
            raise
        return bound

    def listen(self) -> None:
        self._socket.listen(_HOST_BACKLOG)

    def stop_listening(self) -> None:
        """Refuses further connections, until a socket of the guest listens again."""
        self._socket.close()
        try:
            self._socket = self._bound()
        except OSError as error:
            raise from_host(error) from None

    def close(self) -> None:
        self._socket.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def accept(self, listener: TcpSocket, flags: int) -> HostConnection | None:
        """The next connection, as a socket of the guest; None when there is none."""
        found = self._accept()
        if found is None:
            return None
        connection, remote = found
        try:
            accepted = HostConnection(
                listener.network, listener.socket_type, flags, listener.owner_ids
            )
        except Errno:
            connection.close()
            raise
        accepted.attach(self, connection)
        accepted.options.update(listener.options)
        accepted.address, accepted.remote = listener.address, remote
        return accepted

    def _accept(self) -> tuple[host.socket, InetAddress] | None:
        if self.is_full:
            return None
        try:
            connection, name = self._socket.accept()
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            raise from_host(error) from None
        connection.setblocking(False)
        ip = host.inet_pton(self._family, name[0].partition("%")[0])
        return connection, InetAddress(ip, name[1])

    @property
    def has_connection(self) -> bool:
        return not self.is_full and bool(_ready(self, POLLIN))

    @property
    def is_full(self) -> bool:
        return self.open_connections >= _MOST_CONNECTIONS

    @property
    def ready(self) -> tuple[HostReady, ...]:
        """Descriptors of the host to wait for until there is a connection."""
        return () if self.is_full else (HostReady(self._socket.fileno(), POLLIN),)


def _ready(file: Any, events: int) -> int:
    poll = select.poll()
    poll.register(file, events)
    return sum(found for _, found in poll.poll(0))


class HostConnection(TcpSocket):
    """A connection to a program of the host."""

    _host: host.socket
    _port: PublishedPort

    def attach(self, port: PublishedPort, connection: host.socket) -> None:
        self._host, self._port = connection, port
        self.was_connected = True
        port.open_connections += 1

    def send(self, message: Message, to: object = None) -> int | None:
        try:
            return self._host.send(message.data) if message.data else 0
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            raise from_host(error) from None

    def receive(self, count: int, *, peek: bool = False) -> Received | None:
        if not self.may_receive:
            return NOTHING
        try:
            data = self._host.recv(count, host.MSG_PEEK if peek else 0) if count else b""
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            raise from_host(error) from None
        return Received(data, len(data))

    def unread(self, data: bytes) -> None:
        """Bytes that the guest's memory did not take are lost."""

    def shutdown(self, how: int) -> None:
        try:
            self._host.shutdown(_HOW.get(how, host.SHUT_RDWR))
        except OSError as error:
            raise from_host(error) from None
        self.may_receive = self.may_receive and how == SHUT_WR
        self.wake()

    def peer_name(self) -> bytes:
        if self.remote is None:
            raise Errno(ENOTCONN)
        return self.packed(self.remote)

    def listen(self, backlog: int) -> None:
        raise Errno(EINVAL)

    def close_connection(self) -> None:
        self._host.close()
        self._port.open_connections -= 1

    def poll(self) -> int:
        wanted = POLLIN | POLLOUT | POLLRDHUP
        found = _ready(self._host, wanted) & (wanted | POLLERR | POLLHUP)
        if not self.may_receive:
            found |= POLLIN
        found |= POLLRDNORM if found & POLLIN else 0
        return found | (POLLWRNORM | POLLWRBAND if found & POLLOUT else 0)

    def sources(self, events: int) -> Sources:
        wanted = events & (POLLIN | POLLOUT) or POLLIN
        return Sources((), (HostReady(self._host.fileno(), wanted),))

    def has_room(self) -> bool:
        return bool(_ready(self._host, POLLOUT))

    def unread_bytes(self) -> int:
        return len(self._host.recv(1 << 20, host.MSG_PEEK)) if _ready(self._host, POLLIN) else 0
