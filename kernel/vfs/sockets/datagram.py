"""Sockets that send single messages to any other: the base of AF_UNIX's datagrams and of UDP."""

from __future__ import annotations

from typing import Any

from kernel.base.errno import EDESTADDRREQ, EMSGSIZE, EPIPE
from kernel.base.errors import Errno
from kernel.vfs.sockets.message import Message, Sender
from kernel.vfs.sockets.socket_file import NOTHING, Network, Received, Socket, SocketType


class DatagramSocket(Socket):
    """A socket with an optional default destination, ``target``."""

    no_destination = EDESTADDRREQ

    def __init__(self, network: Network, of: SocketType, flags: int, owner: Sender) -> None:
        super().__init__(network, of, flags, owner)
        self.target: Any = None
        """Address, or socket, of connect(2)."""

    @property
    def is_connected(self) -> bool:
        return self.target is not None

    def find(self, to: Any) -> DatagramSocket | None:
        """The receiver; None when what is sent is lost. Raises what send(2) does."""
        raise NotImplementedError

    @property
    def source(self) -> Any:
        """The address that receivers see."""
        raise NotImplementedError

    @property
    def largest(self) -> int:
        """Maximum number of bytes of a message."""
        return self.queue.capacity

    def accepts_from(self, sender: DatagramSocket) -> bool:
        """A connected socket receives only from its target."""
        return True

    def send(self, message: Message, to: Any = None) -> int | None:
        self.raise_error()
        if not self.may_send:
            raise Errno(EPIPE)
        if to is None:
            to = self.target
        if to is None:
            raise Errno(self.no_destination)
        if len(message.data) > self.largest:
            raise Errno(EMSGSIZE)
        receiver = self.find(to)
        if receiver is None:
            return len(message.data)
        message.source = self.source
        return self.deliver(message, receiver)

    def deliver(self, message: Message, receiver: DatagramSocket) -> int | None:
        raise NotImplementedError

    def take_in(self, message: Message) -> None:
        self.network.rights.send(message.files)
        self.queue.add(message)
        self.on_readable.wake()

    def receive(self, count: int, *, peek: bool = False) -> Received | None:
        self.raise_error()
        if not self.queue:
            return None if self.may_receive else NOTHING
        message = self.queue.messages[0] if peek else self.queue.pop()
        if not peek:
            self.received()
        files = [] if peek else message.files
        data = message.data
        return Received(data[:count], len(data), message.sender, message.source, files)

    def received(self) -> None:
        """Called when a message was taken out of the queue."""
