"""AF_UNIX sockets (unix(7)): streams, datagrams and sequences of packets within the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel.base.errno import (
    ECONNREFUSED,
    ECONNRESET,
    EINVAL,
    EISCONN,
    ENOTCONN,
    EOPNOTSUPP,
    EPERM,
    EPIPE,
    EPROTOTYPE,
)
from kernel.base.errors import Errno
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.open_file import OpenFile
from kernel.vfs.sockets.datagram import DatagramSocket
from kernel.vfs.sockets.message import Message, Sender
from kernel.vfs.sockets.socket_file import SOCK_DGRAM, SOCK_SEQPACKET, Network, Socket, SocketType
from kernel.vfs.sockets.stream import StreamSocket
from kernel.vfs.sockets.unix_names import AF_UNIX, pack

if TYPE_CHECKING:
    _Base = Socket
else:
    _Base = object

_MOST_DATAGRAMS = 11
"""net.unix.max_dgram_qlen and one more: the messages that wait in a socket at most."""


class UnixName(_Base):
    """The name of a socket, and its place: an abstract name, or a node of a file system."""

    name: bytes = b""
    node: Inode | None = None
    owns_name = False
    """True for the socket that was bound; those that it accepts have its name too."""

    def bind_to(self, name: bytes, node: Inode | None) -> None:
        """Binds to ``node``, which was created for it, or to an abstract name."""
        if node is None:
            self.network.names.bind(name, self)
        else:
            node.socket = self
        self.name, self.node, self.owns_name = name, node, True

    def bind_automatically(self) -> None:
        self.name = self.network.names.bind_automatically(self)
        self.owns_name = True

    @property
    def may_shut_down(self) -> bool:
        return True

    def check_unbound(self) -> None:
        if self.name:
            raise Errno(EINVAL)

    def release_name(self) -> None:
        if self.node is not None:
            self.node.socket = None
        elif self.owns_name:
            self.network.names.release(self.name)

    def local_name(self) -> bytes:
        return pack(self.name)

    def packed(self, address: bytes) -> bytes:
        return pack(address)


class UnixStream(UnixName, StreamSocket):
    """SOCK_STREAM and SOCK_SEQPACKET."""

    name_of_closed_peer = b""

    def prepare_to_listen(self) -> None:
        if not self.name:
            raise Errno(EINVAL)

    def new_server(self, client: StreamSocket) -> UnixStream:
        of = SocketType(self.domain, self.type, self.protocol)
        server = UnixStream(self.network, of, 0, self.owner_ids)
        server.name = self.name
        server.options.update(self.options)
        return server

    def connect(self, other: Socket | None) -> bool:
        if other is None:
            raise Errno(ECONNREFUSED)
        if other.type != self.type:
            raise Errno(EPROTOTYPE)
        assert isinstance(other, UnixStream)
        return self.connect_to(other)

    def send(self, message: Message, to: object = None) -> int | None:
        if to is not None and self.type != SOCK_SEQPACKET:
            raise Errno(EISCONN if self.was_connected else EOPNOTSUPP)
        return super().send(message)

    @property
    def not_connected_to_receive(self) -> int:
        return ENOTCONN if self.type == SOCK_SEQPACKET else EINVAL

    def peer_name(self) -> bytes:
        if not self.was_connected:
            raise Errno(ENOTCONN)
        if isinstance(self.peer, UnixStream):
            return self.peer.local_name()
        return pack(self.name_of_closed_peer)

    def close_connection(self) -> None:
        self.release_name()
        if isinstance(self.peer, UnixStream):
            self.peer.name_of_closed_peer = self.name
        super().close_connection()

    def peer_closed(self, *, unread: bool) -> None:
        super().peer_closed(unread=unread)
        if unread:
            self.error = ECONNRESET


class UnixDatagram(UnixName, DatagramSocket):
    """SOCK_DGRAM: nothing is lost, a sender waits for room."""

    no_destination = ENOTCONN

    def __init__(self, network: Network, of: SocketType, flags: int, owner: Sender) -> None:
        super().__init__(network, of, flags, owner)
        self.senders: dict[UnixDatagram, None] = {}
        """Sockets whose default destination this is, or that wait for room here."""
        self.refused_by: UnixDatagram | None = None
        """The last receiver that had no room."""

    def connect(self, other: Socket | None) -> bool:
        """Sets the default destination; None of AF_UNSPEC removes it."""
        if other is not None and other.type != SOCK_DGRAM:
            raise Errno(EPROTOTYPE)
        assert other is None or isinstance(other, UnixDatagram)
        if other is not None and other.target not in (None, self):
            raise Errno(EPERM)
        self._forget_target()
        self.target = other
        if other is not None:
            other.senders[self] = None
        self.wake()
        return True

    def _forget_target(self) -> None:
        if isinstance(self.target, UnixDatagram):
            self.target.senders.pop(self, None)
        self.target = None

    def _note_refusal(self, receiver: UnixDatagram | None) -> None:
        """Waits for room in ``receiver``, and no longer in the one before."""
        before, self.refused_by = self.refused_by, receiver
        if before is not None and before is not self.target:
            before.senders.pop(self, None)
        if receiver is not None:
            receiver.senders[self] = None

    def find(self, to: UnixDatagram) -> UnixDatagram:
        if to not in self.network.sockets:
            self._forget_target()
            raise Errno(ECONNREFUSED)
        if to.target not in (None, self):
            raise Errno(EPERM)
        if not to.may_receive:
            raise Errno(EPIPE)
        return to

    @property
    def source(self) -> bytes | None:
        return self.name or None

    def deliver(self, message: Message, receiver: DatagramSocket) -> int | None:
        queue = receiver.queue
        if len(queue.messages) >= _MOST_DATAGRAMS and receiver is not self:
            assert isinstance(receiver, UnixDatagram)
            self._note_refusal(receiver)
            return None
        receiver.take_in(message)
        return len(message.data)

    def received(self) -> None:
        for sender in self.senders:
            sender.on_writable.wake()

    def has_room(self) -> bool:
        target = self.target
        return not isinstance(target, UnixDatagram) or len(target.queue.messages) < _MOST_DATAGRAMS

    def peer_name(self) -> bytes:
        if self.target is None:
            raise Errno(ENOTCONN)
        return pack(self.target.name)

    def close_connection(self) -> None:
        self.release_name()
        self._note_refusal(None)
        self._forget_target()
        for other in list(self.senders):
            other.wake()
        self.senders.clear()


def unix_socket(
    network: Network, type_: int, flags: int, owner: Sender
) -> UnixStream | UnixDatagram:
    of = SocketType(AF_UNIX, type_, 0)
    kind = UnixDatagram if type_ == SOCK_DGRAM else UnixStream
    return kind(network, of, flags, owner)


def socket_pair(
    network: Network, type_: int, flags: int, owner: Sender
) -> tuple[OpenFile, OpenFile]:
    """Returns two sockets of ``type_`` that are connected to each other."""
    first = unix_socket(network, type_, flags, owner)
    try:
        second = unix_socket(network, type_, flags, owner)
    except Errno:
        first.acquire().release()
        raise
    for one, other in ((first, second), (second, first)):
        one.peer_ids = owner
        if isinstance(one, UnixDatagram) and isinstance(other, UnixDatagram):
            one.target = other
            other.senders[one] = None
        elif isinstance(one, UnixStream) and isinstance(other, UnixStream):
            one.peer, one.was_connected = other, True
    return first, second
