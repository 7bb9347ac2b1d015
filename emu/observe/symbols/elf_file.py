"""An ELF file as the instruments read it: what it loads, and what its names stand for.

System V ABI, chapters 4 and 5. A file that is damaged, or none for RISC-V, has nothing to tell;
nothing is raised. pyelftools reads the symbol tables; it is imported when the first is asked for.
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
    """A name's address as the file has it, and its size in bytes, 0 when that is unknown."""

    address: int
    size: int


class ElfFile:
    """Addresses are the file's own. ``base`` is the page of its lowest segment.

    ``symbols`` is the file that its symbol tables were moved to, if they were.
    """

    def __init__(self, data: bytes, symbols: bytes | None = None) -> None:
        self._data = data
        self._symbol_file = data if symbols is None else symbols
        self.segments = load_segments(data)
        """(address, offset, bytes in the file) of each that is loaded."""
        self.base = min((start for start, _, _ in self.segments), default=0) & ~_PAGE_MASK
        self.entry = int.from_bytes(data[24:32], "little") if self.segments else 0

    def offset(self, address: int) -> int | None:
        """Where in the file the byte at ``address`` is."""
        for start, at, size in self.segments:
            if start <= address < start + size:
                return address - start + at
        return None

    def address(self, offset: int) -> int | None:
        """The address of the byte at ``offset`` of the file."""
        for start, at, size in self.segments:
            if at <= offset < at + size:
                return start + offset - at
        return None

    def code(self, address: int, count: int) -> bytes:
        """Up to ``count`` bytes at ``address``; fewer where the segment ends."""
        for start, offset, size in self.segments:
            if start <= address < start + size:
                at = offset + address - start
                return self._data[at : at + min(count, start + size - address)]
        return b""

    @property
    def has_symbols(self) -> bool:
        return bool(self._symbols)

    def find(self, name: str) -> Symbol | None:
        """What the name stands for; one of them if there is a choice."""
        return next(iter(self.find_all(name)), None)

    def find_all(self, name: str) -> list[Symbol]:
        """All that the name stands for: a global symbol, or else each source file's own."""
        return self._symbols.get(name, [])

    @cached_property
    def _symbols(self) -> dict[str, list[Symbol]]:
        try:
            return _read_symbols(self._symbol_file)
        except Exception:  # pyelftools has many ways to say that a file is damaged
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
    """The symbols of the first table that there is: .dynsym is a part of .symtab."""
    for name in _TABLES:
        table = elf.get_section_by_name(name)
        if table is not None and hasattr(table, "iter_symbols"):
            return [symbol for symbol in table.iter_symbols() if _has_a_place(symbol)]
    return []


def _has_a_place(symbol: Any) -> bool:
    entry = symbol.entry
    return bool(symbol.name) and entry.st_shndx != "SHN_UNDEF" and entry.st_info.type in _KINDS


def load_segments(data: bytes) -> list[tuple[int, int, int]]:
    """(address, offset, bytes in the file) of the segments to load."""
    read = reader(data)
    headers = program_headers(read, read_header(read))
    return [(each.address, each.offset, each.file_size) for each in headers if each.type == PT_LOAD]
