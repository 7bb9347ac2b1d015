"""An ELF file as the instruments read it: its loadable segments and its symbols.

System V ABI, chapters 4 and 5. A damaged file has no segments and no symbols; nothing is raised.
pyelftools reads the symbol tables; it is imported on first use.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kernel.base.elf_headers import PT_LOAD, program_headers, read_header, reader

_PAGE_MASK = 0xFFF
_TABLES = (".symtab", ".dynsym")
_KINDS = ("STT_NOTYPE", "STT_OBJECT", "STT_FUNC", "STT_GNU_IFUNC")


@dataclass(frozen=True, slots=True)
class Symbol:
    """The address of a symbol in its file, and its size in bytes, 0 if unknown."""

    address: int
    size: int


class ElfFile:
    """Addresses are those in the file; ``base`` is the page of the lowest segment.

    ``symbols`` is the separate file with the symbol tables, if there is one.
    """

    def __init__(self, data: bytes, symbols: bytes | None = None) -> None:
        self._data = data
        self._symbol_file = data if symbols is None else symbols
        self.segments = load_segments(data)
        """(address, offset, size in the file) of each loadable segment."""
        self.base = min((start for start, _, _ in self.segments), default=0) & ~_PAGE_MASK
        header = read_header(reader(data))
        self.entry = header.entry if header is not None else 0

    def offset(self, address: int) -> int | None:
        """File offset of the byte at ``address``."""
        for start, at, size in self.segments:
            if start <= address < start + size:
                return address - start + at
        return None

    def address(self, offset: int) -> int | None:
        """Address of the byte at ``offset`` in the file."""
        for start, at, size in self.segments:
            if at <= offset < at + size:
                return start + offset - at
        return None

    def code(self, address: int, count: int) -> bytes:
        """Up to ``count`` bytes at ``address``; fewer if the segment ends."""
        for start, offset, size in self.segments:
            if start <= address < start + size:
                at = offset + address - start
                return self._data[at : at + min(count, start + size - address)]
        return b""

    @property
    def has_symbols(self) -> bool:
        return bool(self._symbols)

    def find(self, name: str) -> Symbol | None:
        """A symbol of that name; any one if there are several."""
        return next(iter(self.find_all(name)), None)

    def find_all(self, name: str) -> list[Symbol]:
        """All symbols of that name: the global one, or else the local ones of all sources."""
        return self._symbols.get(name, [])

    @cached_property
    def _symbols(self) -> dict[str, list[Symbol]]:
        try:
            return _read_symbols(self._symbol_file)
        except Exception:  # pyelftools raises many kinds of exceptions for damaged files
            return {}


def _read_symbols(data: bytes) -> dict[str, list[Symbol]]:
    from elftools.elf.elffile import ELFFile

    elf = ELFFile(io.BytesIO(data))
    public: dict[str, list[Symbol]] = {}
    local: dict[str, list[Symbol]] = {}
    for symbol in _defined(elf):
        entry = symbol.entry
        scope = local if entry.st_info.bind == "STB_LOCAL" else public
        found = Symbol(int(entry.st_value), int(entry.st_size))
        known = scope.setdefault(symbol.name, [])
        if found not in known:
            known.append(found)
    return local | public


def _defined(elf: Any) -> list[Any]:
    """The symbols of the first table found: .dynsym is a subset of .symtab."""
    for name in _TABLES:
        table = elf.get_section_by_name(name)
        if table is not None and hasattr(table, "iter_symbols"):
            return [symbol for symbol in table.iter_symbols() if _is_definition(symbol)]
    return []


def _is_definition(symbol: Any) -> bool:
    entry = symbol.entry
    return bool(symbol.name) and entry.st_shndx != "SHN_UNDEF" and entry.st_info.type in _KINDS


def load_segments(data: bytes) -> list[tuple[int, int, int]]:
    """(address, offset, size in the file) of each loadable segment."""
    read = reader(data)
    headers = program_headers(read, read_header(read))
    return [(each.address, each.offset, each.file_size) for each in headers if each.type == PT_LOAD]
