"""Call frame information of an ELF file: locations of callers' registers, for each address.

elf(5); LSB Core 5.0, "Exception Frames". Addresses are those in the file, without the load bias of
a position-independent one. The file is a guest's, and may be damaged.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from functools import cached_property
from typing import NamedTuple

from emu.observe.cfi.cfi_parser import DATAREL, OMITTED, PCREL, Cursor, Damaged, Fde, Frames
from emu.observe.cfi.cfi_program import Rule, rule_of
from kernel.base.elf_headers import (
    EM_RISCV,
    PT_GNU_EH_FRAME,
    PT_LOAD,
    SHF_COMPRESSED,
    SHT_NOBITS,
    ElfHeader,
    Read,
    named_sections,
    program_headers,
    read_header,
)

__all__ = ["CallFrames", "Rule"]

_LARGEST_SCAN = 16 << 20
_MOST_SCANNED = 100_000

_FIELDS = {2: "H", 3: "I", 4: "Q", 0xA: "h", 0xB: "i", 0xC: "q"}
"""struct's format for each encoding of the search table whose entries have a fixed size."""
_ADDRESS = (1 << 64) - 1


class _Piece(NamedTuple):
    """A segment or section: ``size`` bytes at ``offset`` in the file, loaded at ``address``."""

    address: int
    offset: int
    size: int


class CallFrames:
    """Rules of one file; ``read(offset, count)`` returns its bytes, fewer where it ends."""

    def __init__(self, read: Read) -> None:
        self._read = read

    def rule(self, address: int) -> Rule | None:
        """The unwind rule for the code at ``address``; None if the file has none.

        .eh_frame is searched first. Compilers for RISC-V put a program's own functions into
        .debug_frame unless they need to be unwound at run time, so that is searched second.
        """
        for table in (self._exception_frames, self._debug_frames):
            try:
                fde = table.find(address) if table is not None else None
                if fde is not None:
                    return rule_of(fde, address)
            except Damaged:
                continue
        return None

    @cached_property
    def _exception_frames(self) -> _IndexedTable | _ScannedTable | None:
        """.eh_frame with its search table; scanned for a static program, which has none."""
        try:
            return _IndexedTable(self._read, self._segments)
        except Damaged:
            return self._scan(".eh_frame", exceptions=True)

    @cached_property
    def _debug_frames(self) -> _ScannedTable | None:
        return self._scan(".debug_frame", exceptions=False)

    def _scan(self, name: str, *, exceptions: bool) -> _ScannedTable | None:
        try:
            piece = _section(self._read, name)
            return _ScannedTable(self._read, piece, exceptions=exceptions)
        except Damaged:
            return None

    @cached_property
    def _segments(self) -> dict[int, list[_Piece]]:
        return _segments(self._read)


class _IndexedTable:
    """.eh_frame, with the sorted table of .eh_frame_hdr (LSB, "The .eh_frame_hdr section")."""

    def __init__(self, read: Read, segments: dict[int, list[_Piece]]) -> None:
        self._read = read
        self._loaded = segments.get(PT_LOAD, [])
        if PT_GNU_EH_FRAME not in segments:
            raise Damaged
        start, _, size = segments[PT_GNU_EH_FRAME][0]
        head = Cursor(self._at(start, min(size, 64)), start)
        version, frame, count_encoding, encoding = head.take(4)
        if version != 1 or OMITTED in (frame, count_encoding, encoding):
            raise Damaged
        head.pointer(frame, start)
        count = head.pointer(count_encoding, start)
        self._read_table(start, size, head.at, encoding, count)
        self._frames = Frames(self._at, exceptions=True)

    def _read_table(self, start: int, size: int, at: int, encoding: int, count: int) -> None:
        """Reads the table at ``start + at``; its pointers may be relative to ``start``."""
        field, relative = _FIELDS.get(encoding & 0xF), encoding & 0xF0
        if field is None or relative not in (0, PCREL, DATAREL):
            raise Damaged
        self._entry = struct.Struct(f"<{field}{field}")
        if not 0 < count <= (size - at) // self._entry.size:
            raise Damaged
        self._table = self._at(start + at, count * self._entry.size)
        if len(self._table) < count * self._entry.size:
            raise Damaged
        self._count = count
        self._base = {0: 0, PCREL: start + at, DATAREL: start}[relative]
        self._step = self._entry.size if relative == PCREL else 0
        """Difference of the bases of two successive entries' pointers."""

    def find(self, address: int) -> Fde | None:
        after = bisect_right(range(self._count), address, key=self._function)
        if not after:
            return None
        fde = self._frames.fde(self._fde(after - 1))
        return fde if fde is not None and fde.start <= address < fde.end else None

    def _function(self, index: int) -> int:
        """Address of a function."""
        start: int = self._entry.unpack_from(self._table, index * self._entry.size)[0]
        return start + self._base + index * self._step & _ADDRESS

    def _fde(self, index: int) -> int:
        """Address of its FDE."""
        fde: int = self._entry.unpack_from(self._table, index * self._entry.size)[1]
        return fde + self._base + index * self._step + self._step // 2 & _ADDRESS

    def _at(self, address: int, count: int) -> bytes:
        for start, offset, size in self._loaded:
            if start <= address < start + size:
                return self._read(offset + address - start, min(count, start + size - address))
        raise Damaged


class _ScannedTable:
    """A section without a search table, indexed by one scan."""

    def __init__(self, read: Read, piece: _Piece, *, exceptions: bool) -> None:
        self._base = piece.address if exceptions else 0
        self._data = read(piece.offset, piece.size)
        self._frames = Frames(self._at, exceptions=exceptions)
        self._found = sorted(self._scan())

    def find(self, address: int) -> Fde | None:
        index = bisect_right(self._found, (address, 1 << 64))
        fde = self._frames.fde(self._found[index - 1][1]) if index else None
        return fde if fde is not None and fde.start <= address < fde.end else None

    def _scan(self) -> list[tuple[int, int]]:
        """Sorted addresses of functions with those of their FDEs, up to the first damaged entry."""
        found: list[tuple[int, int]] = []
        where, end = self._base, self._base + len(self._data)
        for _ in range(_MOST_SCANNED):
            if where >= end:
                break
            try:
                _, after, size = self._frames.extent(where)
            except Damaged:
                break
            if not size:
                break
            self._add(where, found)
            where = after
        return found

    def _add(self, where: int, found: list[tuple[int, int]]) -> None:
        try:
            fde = self._frames.fde(where)
        except Damaged:
            return
        # A linker that leaves a function out leaves its FDE in .debug_frame, at address 0.
        if fde is not None and fde.start:
            found.append((fde.start, where))

    def _at(self, address: int, count: int) -> bytes:
        start = address - self._base
        return self._data[start : start + count] if start >= 0 else b""


def _header(read: Read) -> ElfHeader:
    header = read_header(read)
    if header is None or header.machine != EM_RISCV:
        raise Damaged
    return header


def _segments(read: Read) -> dict[int, list[_Piece]]:
    """The segments by type."""
    header = _header(read)
    found: dict[int, list[_Piece]] = {}
    for each in program_headers(read, header):
        if each.offset + each.file_size < 1 << 62:
            piece = _Piece(each.address, each.offset, each.file_size)
            found.setdefault(each.type, []).append(piece)
    return found


def _section(read: Read, name: str) -> _Piece:
    _header(read)
    found = named_sections(read).get(name)
    if found is None or found.type == SHT_NOBITS or found.flags & SHF_COMPRESSED:
        raise Damaged
    if found.size > _LARGEST_SCAN or found.offset >= 1 << 62:
        raise Damaged
    return _Piece(found.address, found.offset, found.size)
