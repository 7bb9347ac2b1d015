"""Addresses of AF_UNIX sockets (unix(7)), and the table of abstract names.

A name is the content of sun_path: empty for a socket without name, with a first byte of zero for
an abstract name, else a path.
"""

from __future__ import annotations

import struct
from typing import Generic, TypeVar

from kernel.base.errno import EADDRINUSE, EINVAL
from kernel.base.errors import Errno

AF_UNIX = 1
PATH_SIZE = 108
_FAMILY_SIZE = 2
_LAST_AUTOMATIC = 0xFFFFF
Bound = TypeVar("Bound")


def parse(address: bytes) -> bytes:
    """The name in a struct sockaddr_un; EINVAL for another family or size."""
    if not _FAMILY_SIZE < len(address) <= _FAMILY_SIZE + PATH_SIZE or family_of(address) != AF_UNIX:
        raise Errno(EINVAL)
    name = address[_FAMILY_SIZE:]
    return name if name[:1] == b"\0" else name.split(b"\0")[0]


def family_of(address: bytes) -> int:
    return int.from_bytes(address[:_FAMILY_SIZE], "little")


def pack(name: bytes) -> bytes:
    ended = b"\0" if name and name[:1] != b"\0" else b""
    return struct.pack("<H", AF_UNIX) + name + ended


class AbstractNames(Generic[Bound]):
    """The abstract names in use, each with its socket."""

    def __init__(self) -> None:
        self._sockets: dict[bytes, Bound] = {}
        self._next_automatic = 0

    def bind(self, name: bytes, socket: Bound) -> None:
        if name in self._sockets:
            raise Errno(EADDRINUSE)
        self._sockets[name] = socket

    def bind_automatically(self, socket: Bound) -> bytes:
        """Binds a name that is not in use: a zero and five hexadecimal digits."""
        for _ in range(_LAST_AUTOMATIC + 1):
            self._next_automatic = (self._next_automatic + 1) & _LAST_AUTOMATIC
            name = b"\0%05x" % self._next_automatic
            if name not in self._sockets:
                self._sockets[name] = socket
                return name
        raise Errno(EADDRINUSE)

    def find(self, name: bytes) -> Bound | None:
        return self._sockets.get(name)

    def release(self, name: bytes) -> None:
        self._sockets.pop(name, None)
