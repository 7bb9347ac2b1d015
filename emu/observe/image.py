"""One ELF file that has code mapped: its symbols and lines, and its call frame information."""

from __future__ import annotations

import struct
from typing import Any

from emu.observe.cfi import CallFrames
from emu.observe.cfi_program import Rule
from emu.observe.prologue import LONGEST, prologue_rule
from emu.observe.records import Caller, Place, text
from emu.observe.remembered import Remembered
from emu.observe.starts import Starts
from kernel.errors import Errno
from kernel.vfs.inode import Inode

_PT_LOAD = 1
_LARGEST_FILE = 1 << 31
_END = 1 << 64


class Image:
    """Addresses are the ELF's own, as in its symbol table. A damaged file just tells nothing."""

    def __init__(self, inode: Inode) -> None:
        self._data = content(inode)
        self._segments = _load_segments(self._data)
        self._base = min((segment[0] for segment in self._segments), default=0)
        self._symbols: Any = _symbol_cache(self._data)
        frames = CallFrames(lambda offset, count: self._data[offset : offset + count])
        self._frames = frames
        self._starts: dict[int, Starts] = {}
        self.rules = Remembered(self._rule)
        """How to find the caller, by address."""
        self.places = Remembered(self._place)
        """The :class:`Place` of an address, as its pc."""

    def address(self, offset: int) -> int | None:
        """The address of the byte at ``offset`` of the file."""
        for address, start, size in self._segments:
            if start <= offset < start + size:
                return address + offset - start
        return None

    def _rule(self, address: int) -> Rule | None:
        return self._frames.rule(address) or self._rule_by_code(address)

    def _rule_by_code(self, address: int) -> Rule | None:
        """Where the file has no call frame information, which is so of much of glibc."""
        for number, (start, offset, size) in enumerate(self._segments):
            if start <= address < start + size:
                begin = self._function(address, number)
                if begin is None or not start <= begin <= address <= begin + LONGEST:
                    return None
                at = offset - start
                return prologue_rule(self._data[at + begin : at + address])
        return None

    def _function(self, address: int, segment: int) -> int | None:
        """Where the function begins that the byte is in; without a symbol, as calls tell."""
        place = self.places[address]
        if place.function:
            return address - place.offset
        starts = self._starts.get(segment)
        if starts is None:
            start, offset, size = self._segments[segment]
            starts = Starts(self._data[offset : offset + size], start)
            self._starts[segment] = starts
        return starts.before(address)

    def _place(self, address: int) -> Place:
        at = address - self._base
        known = self._symbols is not None and 0 <= at < _END
        found = self._symbols.lookup(at) if known else ()
        if not found:
            return Place(address)
        innermost, *outer = found
        return Place(
            address,
            function=text(innermost.symbol),
            offset=at - found[-1].sym_addr,
            file=text(innermost.full_path),
            line=innermost.line,
            inlined=tuple(Caller(text(at.symbol), text(at.full_path), at.line) for at in outer),
        )


def content(inode: Inode) -> bytes:
    """What an ELF file holds; nothing when it can't be read."""
    try:
        return inode.read_at(0, min(inode.size, _LARGEST_FILE))
    except Errno:
        return b""


def _symbol_cache(data: bytes) -> Any:
    """None for a file in which symbolic finds nothing."""
    from symbolic.debuginfo import Archive
    from symbolic.exceptions import SymbolicError

    try:
        objects = Archive.from_bytes(data).iter_objects()
        return next(iter(objects)).make_symcache()
    except (SymbolicError, StopIteration, ValueError):
        return None


def _load_segments(data: bytes) -> list[tuple[int, int, int]]:
    """(address, offset, bytes in the file) of the segments to load (System V ABI, chapter 5)."""
    if len(data) < 64 or data[:5] != b"\x7fELF\x02":
        return []
    (offset,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    segments = []
    for at in range(offset, min(offset + size * count, len(data) - 55), size or 56):
        kind, _, start, address, _, length = struct.unpack_from("<IIQQQQ", data, at)
        if kind == _PT_LOAD:
            segments.append((address, start, length))
    return segments
