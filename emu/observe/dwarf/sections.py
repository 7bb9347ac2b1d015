"""The sections of an ELF file that hold debug information, read on demand.

A section that is missing or damaged is empty.
"""

from __future__ import annotations

import struct
import zlib

from kernel.base.elf_headers import (
    SHF_COMPRESSED,
    SHT_NOBITS,
    Read,
    SectionHeader,
    content,
    named_sections,
)

_COMPRESSED = struct.Struct("<IIQQ")
_ELFCOMPRESS_ZLIB = 1
_LARGEST = 1 << 30
"""Maximum size of a section in bytes, also when it is decompressed."""


class Sections:
    """Sections by name."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._headers = named_sections(read)

    def __contains__(self, name: str) -> bool:
        return name in self._headers and self._headers[name].type != SHT_NOBITS

    def get(self, name: str, most: int = _LARGEST) -> bytes:
        """The content, decompressed; empty if it has more than ``most`` bytes."""
        return self._content(self._headers[name], most) if name in self._headers else b""

    def _content(self, header: SectionHeader, most: int) -> bytes:
        if header.type == SHT_NOBITS or header.size > most:
            return b""
        data = content(self._read, header.offset, header.size)
        return _inflated(data, most) if header.flags & SHF_COMPRESSED else data


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
    """The build ID of the file (``ld --build-id``); empty if it has none."""
    note = sections.get(".note.gnu.build-id")
    if len(note) < 16 or note[12:16] != b"GNU\0":
        return b""
    return note[16 : 16 + int.from_bytes(note[4:8], "little")]
