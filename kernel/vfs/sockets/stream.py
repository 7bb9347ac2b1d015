"""Connected sockets: streams, and sequences of packets; listening, connecting, the end of one."""

from __future__ import annotations

from collections import deque

from kernel.base.errno import (
    ECONNREFUSED,
    ECONNRESET,
    EINVAL,
    EISCONN,
    EMSGSIZE,
    ENOTCONN,
    EPIPE,
)
from kernel.base.errors import Errno
from kernel.vfs.core.linux_abi import POLLHUP, POLLIN, POLLRDNORM
from kernel.vfs.core.open_file import OpenFile
from kernel.vfs.sockets.message import Message, Sender
from kernel.vfs.sockets.socket_file import (
    NOTHING,
    SHUT_RD,
    SHUT_WR,
    Network,
    Received,
    Socket,
    SocketType,
)

SOMAXCONN = 4096
"""net.core.somaxconn."""
_LEAST_ROOM = 3
"""A socket is writable when a third of the other's buffer is free."""


class StreamSocket(Socket):
    """A socket that sends to one other, its peer.

    States: new, listening, waiting for room in a listener's backlog, connected, and ended, with
    ``peer`` None.
    """

    def __init__(self, network: Network, of: SocketType, flags: int, owner: Sender) -> None:
        super().__init__(network, of, flags, owner)
        self.peer: StreamSocket | None = None
        self.was_connected = False
        self.backlog: deque[StreamSocket] = deque()
        """Connections that were not accepted yet."""
        self.backlog_limit = 0
        self.waiting: deque[StreamSocket] = deque()
        """Sockets that wait for room in the backlog."""
        self.listener: StreamSocket | None = None
        """The listener in whose ``waiting`` this one is."""

    @property
    def is_connected(self) -> bool:
        return self.was_connected

    # Listening.

    def listen(self, backlog: int) -> None:
        if self.was_connected or self.listener is not None:
            raise Errno(EINVAL)
        self.prepare_to_listen()
        self.backlog_limit = min(backlog & 0xFFFFFFFF, SOMAXCONN)
        self.is_listening = True
        self.peer_ids = self.owner_ids

    def prepare_to_listen(self) -> None:
        """Binds the socket if it must be; EINVAL, EADDRINUSE."""

    def accept(self, flags: int) -> Socket | None:
        if not self.is_listening:
            raise Errno(EINVAL)
        if not self.may_receive:
            raise Errno(EINVAL)
        if not self.backlog:
            return None
        accepted = self.backlog.popleft()
        accepted.flags |= flags
        self.admit_waiting()
        return accepted

    def admit_waiting(self) -> None:
        while self.waiting and self.has_backlog_room():
            client = self.waiting.popleft()
            client.listener = None
            self.admit(client)
            client.wake()

    def has_backlog_room(self) -> bool:
        return len(self.backlog) <= self.backlog_limit

    def admit(self, client: StreamSocket) -> None:
        """Connects ``client`` to a new socket in the backlog."""
        server = self.new_server(client)
        _pair(client, server)
        server.peer_ids, client.peer_ids = client.owner_ids, self.peer_ids
        self.backlog.append(server)
        self.on_readable.wake()

    def new_server(self, client: StreamSocket) -> StreamSocket:
        """The listener's side of a connection."""
        raise NotImplementedError

    # Connecting.

    def connect_to(self, listener: StreamSocket | None) -> bool:
        """Connects, or waits in the listener's queue, then returns False."""
        if self.was_connected:
            raise Errno(EISCONN)
        if self.is_listening:
            raise Errno(EINVAL)
        if listener is None or not listener.is_listening or not listener.may_receive:
            raise Errno(ECONNREFUSED)
        if listener.has_backlog_room():
            listener.admit(self)
            return True
        self.listener = listener
        listener.waiting.append(self)
        return False

    def stop_connecting(self) -> None:
        if self.listener is not None:
            self.listener.waiting.remove(self)
            self.listener = None

    # Data.

    def send(self, message: Message, to: object = None) -> int | None:
        self.raise_error()
        if not self.was_connected:
            raise Errno(self.not_connected_to_send)
        peer = self.peer
        if not self.may_send or peer is None:
            raise Errno(EPIPE)
        boundaries = self.queue.boundaries
        if boundaries and len(message.data) > peer.queue.capacity:
            raise Errno(EMSGSIZE)
        room = peer.queue.room
        if room <= 0 or (boundaries and room < len(message.data)):
            return None
        if not boundaries:
            message.data = message.data[:room]
        if message.data or boundaries:
            self.network.rights.send(message.files)
            peer.queue.add(message)
            peer.on_readable.wake()
        return len(message.data)

    @property
    def not_connected_to_send(self) -> int:
        return ENOTCONN

    def receive(self, count: int, *, peek: bool = False) -> Received | None:
        if self.is_listening or not self.was_connected:
            self.raise_error()
            raise Errno(self.not_connected_to_receive)
        if not self.queue:
            self.raise_error()
            return None if self.may_receive else NOTHING
        received = (
            self._receive_message(count, peek)
            if self.queue.boundaries
            else (self._receive_bytes(count, peek))
        )
        if not peek and self.peer is not None:
            self.peer.on_writable.wake()
        return received

    @property
    def not_connected_to_receive(self) -> int:
        return EINVAL

    def _receive_message(self, count: int, peek: bool) -> Received:
        message = self.queue.messages[0] if peek else self.queue.pop()
        files = [] if peek else message.files
        data = message.data
        return Received(data[:count], len(data), message.sender, message.source, files)

    def _receive_bytes(self, count: int, peek: bool) -> Received:
        """Bytes of one sender, up to the end of those with which descriptors came."""
        first = self.queue.messages[0]
        files: list[OpenFile] = []
        parts: list[bytes] = []
        taken = 0
        for message in list(self.queue.messages):
            if taken == count or message.sender != first.sender:
                break
            part = message.data[: count - taken]
            parts.append(part)
            taken += len(part)
            with_files = bool(message.files)
            if not peek:
                files = message.files
                self._consume(message, len(part))
            if with_files:
                break
        return Received(b"".join(parts), taken, first.sender, None, files)

    def _consume(self, first: Message, count: int) -> None:
        if count == len(first.data):
            self.queue.pop()
        else:
            first.files = []
            self.queue.drop_bytes(count)

    # Ends.

    def shutdown(self, how: int) -> None:
        if self.is_listening:
            self._stop_listening(how)
            return
        super().shutdown(how)
        if self.peer is not None:
            if how != SHUT_RD:
                self.peer.may_receive = False
            if how != SHUT_WR and self.stops_sender:
                self.peer.may_send = False
            self.peer.wake()

    @property
    def stops_sender(self) -> bool:
        """True if the peer cannot send after a shutdown of this socket for reading."""
        return True

    def _stop_listening(self, how: int) -> None:
        if how != SHUT_WR:
            self.may_receive = False
            self.refuse_all()
            self.wake()

    def refuse_all(self) -> None:
        """Ends the connections that were not accepted, and those that wait."""
        while self.waiting:
            client = self.waiting.popleft()
            client.listener = None
            client.error = ECONNREFUSED
            client.wake()
        while self.backlog:
            server = self.backlog.popleft()
            peer = server.peer
            server.acquire().release()
            if peer is not None:
                peer.reset()

    def close_connection(self) -> None:
        self.stop_connecting()
        self.refuse_all()
        peer, self.peer = self.peer, None
        if peer is not None:
            peer.peer = None
            peer.peer_closed(unread=bool(self.queue))
            peer.wake()

    def reset(self) -> None:
        """The connection was ended by force."""
        self.error = ECONNRESET
        self.may_receive = self.may_send = False
        self.wake()

    def peer_closed(self, *, unread: bool) -> None:
        """The other end was closed, with data that it had not read if ``unread``."""
        self.may_receive = self.may_send = False

    def queued_files(self) -> list[OpenFile]:
        files = super().queued_files()
        for waiting in self.backlog:
            files += waiting.queued_files()
        return files

    # Events.

    def has_room(self) -> bool:
        if not self.was_connected or self.peer is None or not self.may_send:
            return True
        room = self.peer.queue.room
        return room > 0 and room * _LEAST_ROOM >= self.peer.queue.capacity

    def poll(self) -> int:
        if self.is_listening:
            ready = bool(self.backlog) or not self.may_receive
            return POLLIN | POLLRDNORM if ready else 0
        if self.listener is not None:
            return 0
        events = super().poll()
        return events if self.was_connected else events | POLLHUP

    def unsent_bytes(self) -> int:
        return self.peer.queue.size if self.peer is not None else 0


def _pair(one: StreamSocket, other: StreamSocket) -> None:
    one.peer, other.peer = other, one
    one.was_connected = other.was_connected = True
