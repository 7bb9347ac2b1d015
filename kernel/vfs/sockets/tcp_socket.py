"""TCP (tcp(7)): a connection is two queues; its segments are changes of both ends at once."""

from __future__ import annotations

from kernel.base.errno import (
    ECONNREFUSED,
    EISCONN,
    ENOTCONN,
    EPIPE,
)
from kernel.base.errors import Errno
from kernel.vfs.core.linux_abi import POLLHUP, POLLIN, POLLRDHUP, POLLRDNORM
from kernel.vfs.core.open_file import Sources
from kernel.vfs.sockets.inet_address import (
    InetAddress,
)
from kernel.vfs.sockets.inet_socket import SO_LINGER, SOL_SOCKET, InetSocket, source_for
from kernel.vfs.sockets.message import Message
from kernel.vfs.sockets.ports import Ports
from kernel.vfs.sockets.socket_file import HostPort, Socket
from kernel.vfs.sockets.stream import StreamSocket


class TcpSocket(InetSocket, StreamSocket):
    """A TCP socket."""

    pending_result: int | None = None
    """Error of a connect(2) that did not wait, 0 for success, until it is reported."""

    was_refused = False
    """True after a connect(2) that did not wait and failed."""
    is_reset = False
    host_port: HostPort | None = None
    """The port of the host where the host's programs connect to this listening socket."""

    @property
    def ports(self) -> Ports:
        return self.network.tcp

    def prepare_to_listen(self) -> None:
        address = self.bind_automatically()
        self.ports.check_listen(self, address)
        if not self.is_listening:
            self._listen_on_host(address.port)

    def _listen_on_host(self, port: int) -> None:
        host_port = self.network.host_ports.get(port)
        if host_port is not None and not any(
            isinstance(other, TcpSocket) and other.host_port is host_port
            for other in self.network.sockets
        ):
            host_port.listen()
            self.host_port = host_port

    def accept(self, flags: int) -> Socket | None:
        accepted = super().accept(flags)
        if accepted is None and self.host_port is not None:
            accepted = self.host_port.accept(self, flags)
        return accepted

    def match(self, to: InetAddress, source: InetAddress | None) -> int:
        return super().match(to, source) if self.is_listening else 0

    def new_server(self, client: StreamSocket) -> TcpSocket:
        assert isinstance(client, TcpSocket)
        server = TcpSocket(self.network, self.socket_type, 0, self.owner_ids)
        server.options.update(self.options)
        server.address, server.remote = client.remote, client.address
        return server

    def connect(self, to: InetAddress) -> bool:
        if self.is_listening:
            raise Errno(EISCONN)
        self.was_refused = False
        to = self.destination(to)
        if self.address is not None and self.address.is_any:
            self.address = self.address._replace(ip=source_for(to))
        listener = self.ports.find(to)
        self.bind_automatically(source_for(to))
        self.remote = to
        try:
            return self.connect_to(listener if isinstance(listener, TcpSocket) else None)
        except Errno as error:
            if error.errno == ECONNREFUSED:
                self.remote = None
                self.was_refused = self.nonblocking
            raise

    def send(self, message: Message, to: object = None) -> int | None:
        if self.was_connected and self.peer is None and self.may_send and not self.error:
            # The other end answers with a reset, which later calls report.
            self.may_send = False
            self.is_reset = True
            self.error = EPIPE
            self.wake()
            return len(message.data)
        return super().send(message)

    @property
    def not_connected_to_send(self) -> int:
        return EPIPE

    @property
    def not_connected_to_receive(self) -> int:
        return ENOTCONN

    @property
    def stops_sender(self) -> bool:
        return False

    def close_connection(self) -> None:
        self.release_port()
        if self.host_port is not None:
            self.host_port.stop_listening()
        linger = self.options.get((SOL_SOCKET, SO_LINGER), b"")
        peer = self.peer
        super().close_connection()
        if isinstance(peer, TcpSocket) and linger[:1] == b"\1" and not any(linger[4:8]):
            peer.reset()

    def peer_closed(self, *, unread: bool) -> None:
        if unread:
            self.reset()
        else:
            self.may_receive = False

    def reset(self) -> None:
        """The other end sent RST."""
        self.is_reset = True
        super().reset()

    @property
    def may_shut_down(self) -> bool:
        return self.was_connected and not self.is_reset

    def poll(self) -> int:
        ended = POLLIN | POLLRDNORM | POLLRDHUP | POLLHUP
        events = super().poll() | (ended if self.was_refused else 0)
        if self.host_port is not None and self.host_port.has_connection:
            events |= POLLIN | POLLRDNORM
        return events

    def sources(self, events: int) -> Sources:
        sources = super().sources(events)
        return sources if self.host_port is None else sources._replace(host=self.host_port.ready)
