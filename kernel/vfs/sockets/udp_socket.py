"""UDP (udp(7)): a datagram for which the receiver has no room is lost."""

from __future__ import annotations

from kernel.base.errno import (
    ECONNREFUSED,
    EINVAL,
)
from kernel.base.errors import Errno
from kernel.vfs.sockets.datagram import DatagramSocket
from kernel.vfs.sockets.inet_address import (
    LOOPBACK,
    InetAddress,
)
from kernel.vfs.sockets.inet_socket import InetSocket, source_for
from kernel.vfs.sockets.message import Message
from kernel.vfs.sockets.ports import Ports

_LARGEST_DATAGRAM = 65_507


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
            self.address = self.address._replace(ip=source_for(to))
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
        self._source = source._replace(ip=source_for(to)) if source.is_any else source
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
