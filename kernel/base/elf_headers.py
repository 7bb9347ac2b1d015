"""ELF headers: of the file, of its segments and of its sections (elf(5)).

64-bit little-endian files only. The file is untrusted: a table is read in pieces up to the end of
the file, and a header that cannot be read yields None or an empty table.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

ELF_MAGIC = b"\x7fELF"
EM_RISCV = 243
PT_LOAD, PT_INTERP, PT_PHDR = 1, 3, 6
PT_GNU_EH_FRAME, PT_GNU_STACK = 0x6474E550, 0x6474E551
SHT_NOBITS, SHF_COMPRESSED = 8, 0x800
PROGRAM_HEADER_SIZE = 56

_FORMAT = b"\x02\x01\x01"
"""Class 64-bit, little-endian data, version 1."""
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")
_SECTION_HEADER = struct.Struct("<IIQQQQIIQQ")
_OFFSETS_END = 1 << 62
_ROWS_AT_ONCE = 64
_MOST_NAME_BYTES = 1 << 16
_LONGEST_NAME = 256

Read = Callable[[int, int], bytes]
"""(offset, count) → bytes of the file; fewer at its end. ``offset`` is below 2⁶²."""


class ElfHeader(NamedTuple):
    """The file's header; sizes and offsets in bytes."""

    ident: bytes
    type: int
    machine: int
    version: int
    entry: int
    program_table: int
    section_table: int
    flags: int
    size: int
    program_header_size: int
    program_header_count: int
    section_header_size: int
    section_header_count: int
    name_table_index: int

    @property
    def is_64_bit_little_endian(self) -> bool:
        return self.ident[4:7] == _FORMAT


class ProgramHeader(NamedTuple):
    """A segment."""

    type: int
    flags: int
    offset: int
    address: int
    physical_address: int
    file_size: int
    size: int
    alignment: int


class SectionHeader(NamedTuple):
    """A section; ``name`` is an offset in the table of names."""

    name: int
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry_size: int


def reader(data: bytes) -> Read:
    """Reads from the content of a file in memory."""
    return lambda offset, count: data[offset : offset + count]


def elf_header(head: bytes) -> ElfHeader | None:
    """The header at the beginning of a file, of any ELF class; None if there is none."""
    if len(head) < _HEADER.size or not head.startswith(ELF_MAGIC):
        return None
    return ElfHeader._make(_HEADER.unpack_from(head))


def read_header(read: Read) -> ElfHeader | None:
    """The header of a 64-bit little-endian file; None for others."""
    header = elf_header(read(0, _HEADER.size))
    return header if header is not None and header.is_64_bit_little_endian else None


def program_headers(read: Read, header: ElfHeader | None) -> list[ProgramHeader]:
    """The segments, as far as the table is in the file."""
    if header is None:
        return []
    place = header.program_table, header.program_header_size, header.program_header_count
    return [ProgramHeader._make(row) for row in _table(read, _PROGRAM_HEADER, *place)]


def section_headers(read: Read, header: ElfHeader | None) -> list[SectionHeader]:
    """The sections, as far as the table is in the file."""
    if header is None:
        return []
    place = header.section_table, header.section_header_size, header.section_header_count
    return [SectionHeader._make(row) for row in _table(read, _SECTION_HEADER, *place)]


def named_sections(read: Read) -> dict[str, SectionHeader]:
    """The sections by name, the first of each; names longer than 255 bytes are left out."""
    header = read_header(read)
    sections = section_headers(read, header)
    if header is None or header.name_table_index >= len(sections):
        return {}
    table = sections[header.name_table_index]
    names = content(read, table.offset, min(table.size, _MOST_NAME_BYTES))
    found: dict[str, SectionHeader] = {}
    for section in sections:
        end = names.find(b"\0", section.name, section.name + _LONGEST_NAME)
        if end >= 0:
            found.setdefault(names[section.name : end].decode("latin-1"), section)
    return found


def content(read: Read, offset: int, count: int) -> bytes:
    """Bytes of the file; empty for an offset that no file has."""
    return read(offset, count) if offset < _OFFSETS_END else b""


def _table(
    read: Read, shape: struct.Struct, offset: int, size: int, count: int
) -> list[tuple[int, ...]]:
    if size != shape.size:
        return []
    rows: list[tuple[int, ...]] = []
    while len(rows) < count:
        wanted = min(count - len(rows), _ROWS_AT_ONCE) * size
        data = content(read, offset + len(rows) * size, wanted)
        rows += shape.iter_unpack(data[: len(data) // size * size])
        if len(data) < wanted:
            break
    return rows
