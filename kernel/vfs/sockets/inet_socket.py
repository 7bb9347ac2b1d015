"""AF_INET and AF_INET6 sockets (ip(7), tcp(7), udp(7)) on a network inside the machine.

The network has one interface, the loopback. Nothing is lost, delayed or put in another order, so a
TCP connection is two queues, and its segments are the changes of both ends at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel.base.errno import (
    ECONNREFUSED,
    EINVAL,
    EISCONN,
    ENETUNREACH,
    ENOTCONN,
    EPIPE,
)
from kernel.base.errors import Errno
from kernel.vfs.core.linux_abi import POLLHUP, POLLIN, POLLRDHUP, POLLRDNORM
from kernel.vfs.core.open_file import Sources
from kernel.vfs.sockets.datagram import DatagramSocket
from kernel.vfs.sockets.inet_address import (
    AF_INET,
    AF_INET6,
    LOOPBACK,
    LOOPBACK6,
    InetAddress,
    any_of,
    pack,
)
from kernel.vfs.sockets.message import Message
from kernel.vfs.sockets.ports import Bound, Ports
from kernel.vfs.sockets.socket_file import HostPort, Socket
from kernel.vfs.sockets.stream import StreamSocket

if TYPE_CHECKING:
    _Base = Socket
else:
    _Base = object

SOL_SOCKET, SO_REUSEADDR, SO_REUSEPORT, SO_LINGER = 1, 2, 15, 13
IPPROTO_IPV6, IPV6_V6ONLY = 41, 26
IPPROTO_TCP, IPPROTO_UDP = 6, 17
_LARGEST_DATAGRAM = 65_507
_EXACT, _CONNECTED = 2, 4


class InetSocket(_Base):
    """A socket with a local address, once it is bound."""

    address: InetAddress | None = None
    remote: InetAddress | None = None
    owns_port = False
    """True for the socket that was bound; connections that it accepts have its port too."""

    @property
    def ports(self) -> Ports:
        raise NotImplementedError

    def option_is_set(self, level: int, name: int) -> bool:
        return any(self.options.get((level, name), b""))

    @property
    def reuse_address(self) -> bool:
        return self.option_is_set(SOL_SOCKET, SO_REUSEADDR)

    @property
    def reuse_port(self) -> bool:
        return self.option_is_set(SOL_SOCKET, SO_REUSEPORT)

    @property
    def is_v6_only(self) -> bool:
        return self.option_is_set(IPPROTO_IPV6, IPV6_V6ONLY)

    def check_family(self, address: InetAddress) -> None:
        """IPv4 through a socket of IPv6 is allowed unless IPV6_V6ONLY is set."""
        if len(address.ip) == 4 and self.domain == AF_INET6 and self.is_v6_only:
            raise Errno(ENETUNREACH)

    def bind(self, address: InetAddress, *, privileged: bool) -> None:
        if self.address is not None:
            raise Errno(EINVAL)
        if len(address.ip) == 4 and self.domain == AF_INET6 and self.is_v6_only:
            raise Errno(EINVAL)
        self.address = self.ports.bind(self, address, privileged=privileged)
        self.owns_port = True

    def bind_automatically(self, ip: bytes | None = None) -> InetAddress:
        if self.address is None:
            address = InetAddress(ip or any_of(self.domain), 0)
            self.address = self.ports.bind(self, address, privileged=True)
            self.owns_port = True
        return self.address

    def release_port(self) -> None:
        if self.owns_port and self.address is not None:
            self.ports.release(self, self.address.port)
            self.owns_port = False

    def overlaps(self, other: Bound, address: InetAddress) -> bool:
        """Returns whether ``address`` for ``other`` is among the addresses of this socket."""
        mine = self.address
        if mine is None or mine.port != address.port:
            return False
        return (mine.ip == address.ip and self.domain == other.domain) or (
            _covers(self, mine, address) or _covers(other, address, mine)
        )

    def match(self, to: InetAddress, source: InetAddress | None) -> int:
        """Rank of this socket as the receiver of ``to``: more if bound more closely, 0 if not."""
        mine = self.address
        if mine is None or not self.may_receive_from(source):
            return 0
        connected = _CONNECTED if self.remote is not None else 0
        if mine.ip == to.ip:
            return _EXACT + 1 + connected
        if not mine.is_any or not _covers(self, mine, to):
            return 0
        return (_EXACT if self.domain == AF_INET or len(to.ip) == 16 else 1) + connected

    def may_receive_from(self, source: InetAddress | None) -> bool:
        return self.remote is None or self.remote == source

    def local_name(self) -> bytes:
        address = self.address or InetAddress(any_of(self.domain), 0)
        return pack(address, self.domain)

    def peer_name(self) -> bytes:
        if self.remote is None or not self.is_connected:
            raise Errno(ENOTCONN)
        return pack(self.remote, self.domain)

    def packed(self, address: InetAddress) -> bytes:
        return pack(address, self.domain)

    def destination(self, to: InetAddress) -> InetAddress:
        """The address that ``to`` means; ENETUNREACH for one outside of the machine."""
        self.check_family(to)
        if not to.is_local:
            raise Errno(ENETUNREACH)
        if len(to.ip) == 4 and self.domain == AF_INET6 and to.is_any:
            raise Errno(ENETUNREACH)
        mine = self.address
        if mine is not None and not mine.is_any and len(mine.ip) != len(to.ip):
            raise Errno(ENETUNREACH if len(to.ip) == 16 else EINVAL)
        return to.as_destination()


def _covers(socket: Bound, address: InetAddress, other: InetAddress) -> bool:
    """Returns whether an unspecified ``address`` of ``socket`` includes ``other``."""
    if not address.is_any:
        return False
    if socket.domain == AF_INET or len(address.ip) == 4:
        return len(other.ip) == 4
    return len(other.ip) == 16 or not socket.is_v6_only


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
            self.address = self.address._replace(ip=_source_for(to))
        listener = self.ports.find(to)
        self.bind_automatically(_source_for(to))
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


class UdpSocket(InetSocket, DatagramSocket):
    """A UDP socket."""

    _source = InetAddress(LOOPBACK, 0)
    """Source of the last message."""

    @property
    def ports(self) -> Ports:
        return self.network.udp

    @property
    def largest(self) -> int:
        return _LARGEST_DATAGRAM

    def connect(self, to: InetAddress | None) -> bool:
        """Sets the default destination; None removes it."""
        if to is None:
            self.target = self.remote = None
            return True
        to = self.destination(to)
        self.bind_automatically()
        assert self.address is not None
        if self.address.is_any:
            self.address = self.address._replace(ip=_source_for(to))
        self.target = self.remote = to
        self.wake()
        return True

    @property
    def source(self) -> InetAddress:
        return self._source

    def find(self, to: InetAddress) -> DatagramSocket | None:
        if not to.port:
            raise Errno(EINVAL)
        to = self.destination(to)
        source = self.bind_automatically()
        self._source = source._replace(ip=_source_for(to)) if source.is_any else source
        receiver = self.ports.find(to, self._source)
        if receiver is None:
            if self.target is not None:
                self.error = ECONNREFUSED  # the answer of ICMP
                self.wake()
            return None
        assert isinstance(receiver, UdpSocket)
        return receiver

    def deliver(self, message: Message, receiver: DatagramSocket) -> int | None:
        if receiver.may_receive and receiver.queue.room >= len(message.data):
            receiver.take_in(message)  # else it is lost, as with UDP
        return len(message.data)

    def close_connection(self) -> None:
        self.release_port()


def _source_for(to: InetAddress) -> bytes:
    """The address from which the machine sends to ``to``."""
    return LOOPBACK if len(to.ip) == 4 else LOOPBACK6


INET_PROTOCOLS = {IPPROTO_TCP: TcpSocket, IPPROTO_UDP: UdpSocket}
FAMILIES = (AF_INET, AF_INET6)
