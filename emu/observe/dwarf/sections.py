"""The sections of an ELF file that hold debug information (elf(5)), read when they are asked for.

The file may be damaged: a section that is not there, or can't be read, is empty.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

_HEADER = struct.Struct("<7s33xQ10xHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_COMPRESSED = struct.Struct("<IIQQ")
_IDENT = b"\x7fELF\x02\x01\x01"
_SHT_NOBITS, _SHF_COMPRESSED, _ELFCOMPRESS_ZLIB = 8, 0x800, 1
_MOST_SECTIONS = 1 << 16
_LARGEST = 1 << 30

Read = Callable[[int, int], bytes]
"""The bytes of a file from an offset on: so many, or fewer where it ends."""


def reader(data: bytes) -> Read:
    return lambda offset, count: data[offset : offset + count]


class Sections:
    """By their names."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._found: dict[str, tuple[int, ...]] = {}
        head = read(0, 64)
        if len(head) < 64 or not head.startswith(_IDENT):
            return
        _, table, size, count, names_at = _HEADER.unpack(head)
        if size != _SECTION.size or table >> 62:
            return
        data = read(table, count * size)
        headers = list(_SECTION.iter_unpack(data[: len(data) // size * size]))
        if names_at >= len(headers):
            return
        names = self._bytes(headers[names_at])
        for each in headers:
            end = names.find(b"\0", each[0])
            name = names[each[0] : end].decode("latin-1") if 0 <= end - each[0] < 256 else ""
            self._found.setdefault(name, each)

    def __contains__(self, name: str) -> bool:
        return name in self._found and self._found[name][1] != _SHT_NOBITS

    def get(self, name: str, most: int = _LARGEST) -> bytes:
        """Nothing of one that has more bytes than ``most``."""
        return self._bytes(self._found[name], most) if name in self._found else b""

    def _bytes(self, header: tuple[int, ...], most: int = _LARGEST) -> bytes:
        _, kind, flags, _, offset, size, *_ = header
        if kind == _SHT_NOBITS or offset >> 62 or size > most:
            return b""
        data = self._read(offset, size)
        return _inflated(data, most) if flags & _SHF_COMPRESSED else data


def _inflated(data: bytes, most: int) -> bytes:
    if len(data) < _COMPRESSED.size:
        return b""
    kind, _, size, _ = _COMPRESSED.unpack_from(data)
    if kind != _ELFCOMPRESS_ZLIB or not 0 < size <= most:
        return b""
    try:
        return zlib.decompressobj().decompress(memoryview(data)[_COMPRESSED.size :], size)
    except zlib.error:
        return b""


def build_id(sections: Sections) -> bytes:
    """What ``ld --build-id`` gave the file; nothing if it has none."""
    note = sections.get(".note.gnu.build-id")
    if len(note) < 16 or note[12:16] != b"GNU\0":
        return b""
    return note[16 : 16 + int.from_bytes(note[4:8], "little")]
