"""Ports of the network inside the machine: which socket is bound to which, for TCP and for UDP."""

from __future__ import annotations

from typing import Protocol

from kernel.base.errno import EACCES, EADDRINUSE, EADDRNOTAVAIL
from kernel.base.errors import Errno
from kernel.vfs.sockets.inet_address import InetAddress

_FIRST_EPHEMERAL, _LAST_EPHEMERAL = 32768, 60999
"""net.ipv4.ip_local_port_range."""
_FIRST_UNPRIVILEGED = 1024


class Bound(Protocol):
    """A socket, as the table of ports sees it."""

    @property
    def is_listening(self) -> bool: ...
    @property
    def reuse_address(self) -> bool: ...
    @property
    def reuse_port(self) -> bool: ...
    @property
    def is_v6_only(self) -> bool: ...
    @property
    def domain(self) -> int: ...

    def overlaps(self, other: Bound, address: InetAddress, /) -> bool:
        """Returns whether ``address`` for ``other`` is among the addresses of this socket."""

    def match(self, to: InetAddress, source: InetAddress | None, /) -> int:
        """Rank of this socket as the receiver of ``to``: more if bound more closely, 0 if not."""


class Ports:
    """The ports of one protocol."""

    def __init__(self) -> None:
        self._bound: dict[int, list[Bound]] = {}
        self._next = _FIRST_EPHEMERAL
        self._turn = 0

    def bind(self, socket: Bound, address: InetAddress, *, privileged: bool) -> InetAddress:
        """Binds the socket; returns the address with its port. EADDRINUSE, EADDRNOTAVAIL."""
        if not address.is_local:
            raise Errno(EADDRNOTAVAIL)
        if 0 < address.port < _FIRST_UNPRIVILEGED and not privileged:
            raise Errno(EACCES)
        if not address.port:
            address = address._replace(port=self._free_port(socket, address))
        elif self._conflicts(socket, address):
            raise Errno(EADDRINUSE)
        self._bound.setdefault(address.port, []).append(socket)
        return address

    def _free_port(self, socket: Bound, address: InetAddress) -> int:
        count = _LAST_EPHEMERAL - _FIRST_EPHEMERAL + 1
        for _ in range(count):
            port = self._next
            self._next = _FIRST_EPHEMERAL + (port + 1 - _FIRST_EPHEMERAL) % count
            if port not in self._bound:
                return port
        raise Errno(EADDRINUSE)

    def _conflicts(self, socket: Bound, address: InetAddress) -> bool:
        return any(
            other.overlaps(socket, address) and not _may_share(other, socket)
            for other in self._bound.get(address.port, ())
        )

    def check_listen(self, socket: Bound, address: InetAddress) -> None:
        """EADDRINUSE if another socket listens there, which SO_REUSEADDR does not allow."""
        for other in self._bound.get(address.port, ()):
            if other is socket or not other.is_listening or not other.overlaps(socket, address):
                continue
            if not (other.reuse_port and socket.reuse_port):
                raise Errno(EADDRINUSE)

    def release(self, socket: Bound, port: int) -> None:
        sockets = self._bound.get(port, [])
        if socket in sockets:
            sockets.remove(socket)
            if not sockets:
                del self._bound[port]

    def find(self, to: InetAddress, source: InetAddress | None = None) -> Bound | None:
        """The socket that receives what is sent to an address: the most specific one."""
        best = [(s.match(to, source), s) for s in self._bound.get(to.port, ())]
        score = max((score for score, _ in best), default=0)
        if score <= 0:
            return None
        found = [socket for each, socket in best if each == score]
        self._turn += 1
        return found[self._turn % len(found)]

    def sockets(self) -> list[Bound]:
        return [socket for _, sockets in sorted(self._bound.items()) for socket in sockets]


def _may_share(one: Bound, other: Bound) -> bool:
    if one.reuse_port and other.reuse_port:
        return True
    return one.reuse_address and other.reuse_address and not one.is_listening
