"""AF_INET and AF_INET6 sockets (ip(7), tcp(7), udp(7)) on a network inside the machine.

The network has one interface, the loopback. Nothing is delayed or put in another order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel.base.errno import (
    EINVAL,
    ENETUNREACH,
    ENOTCONN,
)
from kernel.base.errors import Errno
from kernel.vfs.sockets.inet_address import (
    AF_INET,
    AF_INET6,
    LOOPBACK,
    LOOPBACK6,
    InetAddress,
    any_of,
    pack,
)
from kernel.vfs.sockets.ports import Bound, Ports
from kernel.vfs.sockets.socket_file import Socket

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


def source_for(to: InetAddress) -> bytes:
    """The address from which the machine sends to ``to``."""
    return LOOPBACK if len(to.ip) == 4 else LOOPBACK6
