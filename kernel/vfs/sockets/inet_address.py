"""IPv4 and IPv6 addresses with a port (ip(7), ipv6(7)); IPv4-mapped IPv6 addresses are IPv4's."""

from __future__ import annotations

import struct
from typing import NamedTuple

from kernel.base.errno import EAFNOSUPPORT, EINVAL
from kernel.base.errors import Errno

AF_UNSPEC, AF_INET, AF_INET6 = 0, 2, 10
_SIZE, _SIZE6, _LEAST6 = 16, 28, 24
_MAPPED = bytes(10) + b"\xff\xff"
ANY, ANY6 = bytes(4), bytes(16)
LOOPBACK, LOOPBACK6 = bytes((127, 0, 0, 1)), bytes(15) + b"\1"


class InetAddress(NamedTuple):
    """``ip`` has 4 bytes for IPv4, 16 for IPv6."""

    ip: bytes
    port: int

    @property
    def is_any(self) -> bool:
        return not any(self.ip)

    @property
    def is_local(self) -> bool:
        """True for an address of the machine itself; it has no others."""
        return (
            self.is_any or self.ip[:1] == b"\x7f"
            if len(self.ip) == 4
            else (self.is_any or self.ip == LOOPBACK6)
        )

    def as_destination(self) -> InetAddress:
        """The loopback address if it is unspecified."""
        if not self.is_any:
            return self
        return self._replace(ip=LOOPBACK if len(self.ip) == 4 else LOOPBACK6)

    @property
    def text(self) -> str:
        from ipaddress import ip_address

        ip = ip_address(self.ip)
        return f"[{ip}]:{self.port}" if len(self.ip) == 16 else f"{ip}:{self.port}"


def parse(address: bytes, family: int) -> InetAddress:
    """The address in a struct sockaddr_in or sockaddr_in6 for a socket of ``family``."""
    if len(address) < (_SIZE if family == AF_INET else _LEAST6):
        raise Errno(EINVAL)
    given = int.from_bytes(address[:2], "little")
    if given != family:
        raise Errno(EAFNOSUPPORT)
    port = int.from_bytes(address[2:4], "big")
    ip = address[4:8] if family == AF_INET else address[8:24]
    return InetAddress(ip[12:] if ip[:12] == _MAPPED else ip, port)


def pack(address: InetAddress, family: int) -> bytes:
    ip, port = address.ip, struct.pack(">H", address.port)
    if family == AF_INET:
        return struct.pack("<H", AF_INET) + port + ip + bytes(8)
    if len(ip) == 4:
        ip = _MAPPED + ip
    return struct.pack("<H", AF_INET6) + port + bytes(4) + ip + bytes(4)


def any_of(family: int) -> bytes:
    return ANY if family == AF_INET else ANY6
