"""The names that an ELF file defines: from ``.symtab`` and ``.dynsym`` to addresses.

System V ABI, chapter 4, "Sections" and "Symbol Table". A file that is damaged has fewer names, or
none; nothing is raised.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from kernel.lazy import np

_SHT_SYMTAB, _SHT_DYNSYM = 2, 11
_PT_LOAD = 1
_WANTED = (0, 1, 2, 10)
"""STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_GNU_IFUNC."""
_PAGE_MASK = 0xFFF
_LONGEST_NAME = 4096


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name's address as the file has it, and its size in bytes, 0 when that is unknown."""

    address: int
    size: int


class ElfSymbols:
    """The symbols of the file ``data``. ``base`` is the page of its lowest segment."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._tables = [] if _damaged(data) else list(_tables(data))
        self._segments = load_segments(data)
        self.base = min((start for start, _, _ in self._segments), default=0) & ~_PAGE_MASK

    def offset(self, address: int) -> int | None:
        """Where in the file the byte at ``address`` is."""
        for start, at, size in self._segments:
            if start <= address < start + size:
                return address - start + at
        return None

    @property
    def entry(self) -> int:
        """The address of the first instruction; 0 for a damaged file."""
        return 0 if _damaged(self._data) else int.from_bytes(self._data[24:32], "little")

    def __bool__(self) -> bool:
        """Whether there are any."""
        return any(len(entries) for entries, _ in self._tables)

    def find(self, name: str) -> Symbol | None:
        """What the name stands for; one of them if there is a choice."""
        return next(iter(self.find_all(name)), None)

    def find_all(self, name: str) -> list[Symbol]:
        """All that the name stands for: a global symbol, or else each file's own."""
        wanted = name.encode("utf-8", "surrogateescape")
        if not wanted or len(wanted) > _LONGEST_NAME:
            return []
        for entries, strings in self._tables:
            found = [
                entry
                for at in _occurrences(strings, wanted)
                for entry in entries[entries["name"] == at]
            ]
            if found:
                public = [entry for entry in found if int(entry["info"]) >> 4] or found
                return list({_symbol(entry): None for entry in public})
        return []


def _symbol(entry: Any) -> Symbol:
    return Symbol(int(entry["value"]), int(entry["size"]))


def _occurrences(strings: bytes, wanted: bytes) -> list[int]:
    """Where the name begins in a string table: also as the end of a longer one."""
    found = []
    text = wanted + b"\0"
    at = strings.find(text)
    while at >= 0:
        found.append(at)
        at = strings.find(text, at + 1)
    return found


def _damaged(data: bytes) -> bool:
    return len(data) < 64 or data[:6] != b"\x7fELF\x02\x01"


def _tables(data: bytes) -> Any:
    """(defined symbols, names) of each symbol table, ``.symtab`` first."""
    (offset,) = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    headers = []
    for at in range(offset, min(offset + size * count, len(data) - 63), max(size, 64)):
        _, kind, _, _, start, length, link = struct.unpack_from("<IIQQQQI", data, at)
        headers.append((kind, start, length, link))
    for wanted in (_SHT_SYMTAB, _SHT_DYNSYM):
        for kind, start, length, link in headers:
            if kind == wanted and link < len(headers):
                _, first, extent, _ = headers[link]
                yield _defined(data[start : start + length]), data[first : first + extent]


def _defined(table: bytes) -> Any:
    layout = np.dtype(
        [
            ("name", "<u4"),
            ("info", "u1"),
            ("other", "u1"),
            ("section", "<u2"),
            ("value", "<u8"),
            ("size", "<u8"),
        ]
    )
    entries = np.frombuffer(table, layout, len(table) // layout.itemsize)
    return entries[(entries["section"] != 0) & np.isin(entries["info"] & 15, _WANTED)]


def load_segments(data: bytes) -> list[tuple[int, int, int]]:
    """(address, offset, bytes in the file) of the segments to load (System V ABI, chapter 5)."""
    if _damaged(data):
        return []
    (offset,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    segments = []
    for at in range(offset, min(offset + size * count, len(data) - 55), max(size, 56)):
        kind, _, start, address, _, length = struct.unpack_from("<IIQQQQ", data, at)
        if kind == _PT_LOAD:
            segments.append((address, start, length))
    return segments
