"""An ELF file as the instruments read it: its loadable segments and its symbols.

System V ABI, chapters 4 and 5. A damaged file has no segments and no symbols; nothing is raised.
"""

from __future__ import annotations

from functools import cached_property

from emu.observe.symbols.symbol_table import Symbol, read_symbols
from kernel.base.elf_headers import PT_LOAD, program_headers, read_header, reader

_PAGE_MASK = 0xFFF


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
        return read_symbols(reader(self._symbol_file))


def load_segments(data: bytes) -> list[tuple[int, int, int]]:
    """(address, offset, size in the file) of each loadable segment."""
    read = reader(data)
    headers = program_headers(read, read_header(read))
    return [(each.address, each.offset, each.file_size) for each in headers if each.type == PT_LOAD]
