"""Code of an ELF file by its own addresses (System V ABI, chapter 5)."""

from __future__ import annotations

import struct

_PT_LOAD = 1
_PAGE = 4096


class Elf:
    """The file may be damaged, or not one for RISC-V: then it has no code."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._segments = _segments(data)

    @property
    def base(self) -> int:
        """Where the first page begins."""
        return min((start for start, _, _ in self._segments), default=0) & -_PAGE

    def code(self, address: int, count: int) -> bytes:
        """Up to ``count`` bytes at ``address``; fewer where the segment ends."""
        for start, offset, size in self._segments:
            if start <= address < start + size:
                at = offset + address - start
                return self._data[at : at + min(count, start + size - address)]
        return b""


def _segments(data: bytes) -> list[tuple[int, int, int]]:
    """(address, offset, bytes in the file) of what is loaded."""
    if len(data) < 64 or data[:6] != b"\x7fELF\x02\x01":
        return []
    (offset,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    found = []
    for at in range(offset, min(offset + size * count, len(data) - 55), max(size, 56)):
        kind, _, start, address, _, length = struct.unpack_from("<IIQQQQ", data, at)
        if kind == _PT_LOAD:
            found.append((address, start, length))
    return found
