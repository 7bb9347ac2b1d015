"""The symbols that an ELF file defines (System V ABI, chapter 4, "Symbol Table").

The file may be damaged: what cannot be read is left out.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from kernel.base.elf_headers import (
    Read,
    SectionHeader,
    content,
    named_sections,
    read_header,
    section_headers,
)

_ROW = struct.Struct("<IBBHQQ")
_TABLES = (".symtab", ".dynsym")
_SHT_SYMTAB, _SHT_DYNSYM = 2, 11
_STT_NOTYPE, _STT_OBJECT, _STT_FUNC, _STT_GNU_IFUNC = 0, 1, 2, 10
_KINDS = (_STT_NOTYPE, _STT_OBJECT, _STT_FUNC, _STT_GNU_IFUNC)
_STB_LOCAL, _SHN_UNDEF = 0, 0
_LARGEST = 1 << 30
_LONGEST_NAME = 1 << 16


@dataclass(frozen=True, slots=True)
class Symbol:
    """The address of a symbol in its file, and its size in bytes, 0 if unknown."""

    address: int
    size: int


def read_symbols(read: Read) -> dict[str, list[Symbol]]:
    """The symbols of each name: the global one, or else the local ones of all sources."""
    public: dict[str, list[Symbol]] = {}
    local: dict[str, list[Symbol]] = {}
    rows, names = _table(read)
    for name_at, info, _, section, address, size in _ROW.iter_unpack(rows):
        if section == _SHN_UNDEF or info & 0xF not in _KINDS:
            continue
        end = names.find(b"\0", name_at, name_at + _LONGEST_NAME)
        if end <= name_at:
            continue
        scope = local if info >> 4 == _STB_LOCAL else public
        name = names[name_at:end].decode("utf-8", "replace")
        scope.setdefault(name, []).append(Symbol(address, size))
    return {name: list(dict.fromkeys(found)) for name, found in (local | public).items()}


def _table(read: Read) -> tuple[bytes, bytes]:
    """The rows and the names of the first table found: .dynsym is a subset of .symtab."""
    by_name = named_sections(read)
    sections = section_headers(read, read_header(read))
    for name in _TABLES:
        table = by_name.get(name)
        if table is None or table.type not in (_SHT_SYMTAB, _SHT_DYNSYM):
            continue
        if table.entry_size == _ROW.size and table.link < len(sections):
            rows = _content(read, table)
            whole = len(rows) // _ROW.size * _ROW.size
            return rows[:whole], _content(read, sections[table.link])
    return b"", b""


def _content(read: Read, section: SectionHeader) -> bytes:
    return content(read, section.offset, min(section.size, _LARGEST))
