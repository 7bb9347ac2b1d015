"""AF_NETLINK sockets as far as getifaddrs(3) and if_nameindex(3) need them (rtnetlink(7)).

The machine has one interface, the loopback; it cannot be changed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from kernel.base.errno import EOPNOTSUPP
from kernel.vfs.sockets.inet_address import AF_INET, AF_INET6, LOOPBACK, LOOPBACK6
from kernel.vfs.sockets.message import Message
from kernel.vfs.sockets.socket_file import NOTHING, Received, Socket

AF_NETLINK = 16
NETLINK_ROUTE = 0
_HEADER = struct.Struct("<IHHII")
"""struct nlmsghdr: length, type, flags, sequence number, port."""
_ADDRESS = struct.Struct("<HHII")
"""struct sockaddr_nl: family, padding, port, groups."""
_ERROR, _DONE, _MULTIPLE = 2, 3, 2
_NEWLINK, _GETLINK, _NEWADDR, _GETADDR = 16, 18, 20, 22
_LOOPBACK_TYPE, _INDEX, _UP_RUNNING = 772, 1, 0x10049
_LINK = struct.pack("<BBHiII", 0, 0, _LOOPBACK_TYPE, _INDEX, _UP_RUNNING, 0)
_IFLA_ADDRESS, _IFLA_BROADCAST, _IFLA_NAME, _IFLA_MTU = 1, 2, 3, 4
_IFA_ADDRESS, _IFA_LOCAL, _IFA_LABEL = 1, 2, 3
_PERMANENT, _HOST_SCOPE = 0x80, 254
_MTU = 65_536


class NetlinkSocket(Socket):
    """A socket whose messages the kernel answers at once."""

    port = 0

    def bind_port(self, raw: bytes, default: int) -> None:
        """Takes the port of a struct sockaddr_nl, or for 0 the default."""
        self.port = int.from_bytes(raw[4:8], "little") or default

    def local_name(self) -> bytes:
        return _ADDRESS.pack(AF_NETLINK, 0, self.port, 0)

    def packed(self, address: int) -> bytes:
        return _ADDRESS.pack(AF_NETLINK, 0, address, 0)

    def send(self, message: Message, to: object = None) -> int | None:
        data = message.data
        while len(data) >= _HEADER.size:
            length, kind, _, sequence, _ = _HEADER.unpack_from(data)
            for reply in self._replies(kind, data[:16], sequence):
                self.queue.add(Message(reply, source=0))
            data = data[max(-(-length // 4) * 4, _HEADER.size) :]
        self.on_readable.wake()
        return len(message.data)

    def _replies(self, kind: int, header: bytes, sequence: int) -> Iterator[bytes]:
        if kind == _GETLINK:
            yield self._message(_NEWLINK, _LINK + _link_attributes(), sequence)
        elif kind == _GETADDR:
            for family, ip in ((AF_INET, LOOPBACK), (AF_INET6, LOOPBACK6)):
                yield self._message(_NEWADDR, _address(family, ip), sequence)
        else:
            refusal = struct.pack("<i", -EOPNOTSUPP) + header
            yield self._message(_ERROR, refusal, sequence, flags=0)
            return
        yield self._message(_DONE, bytes(4), sequence)

    def _message(self, kind: int, body: bytes, sequence: int, *, flags: int = _MULTIPLE) -> bytes:
        return _HEADER.pack(_HEADER.size + len(body), kind, flags, sequence, self.port) + body

    def receive(self, count: int, *, peek: bool = False) -> Received | None:
        if not self.queue:
            return None if self.may_receive else NOTHING
        message = self.queue.messages[0] if peek else self.queue.pop()
        data = message.data
        return Received(data[:count], len(data), source=message.source)


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("<HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _link_attributes() -> bytes:
    return (
        _attribute(_IFLA_NAME, b"lo\0")
        + _attribute(_IFLA_MTU, struct.pack("<I", _MTU))
        + _attribute(_IFLA_ADDRESS, bytes(6))
        + _attribute(_IFLA_BROADCAST, bytes(6))
    )


def _address(family: int, ip: bytes) -> bytes:
    prefix = 8 if family == AF_INET else 128
    head = struct.pack("<BBBBI", family, prefix, _PERMANENT, _HOST_SCOPE, _INDEX)
    local = _attribute(_IFA_LOCAL, ip) + _attribute(_IFA_LABEL, b"lo\0")
    return head + _attribute(_IFA_ADDRESS, ip) + (local if family == AF_INET else b"")
