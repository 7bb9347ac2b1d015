"""From a guest's pc to function, file and line: the symbol tables and DWARF of what is mapped.

A file is read when the first address in it is asked for, and what was found for an address is
remembered. The library ``symbolic`` reads DWARF and symbol tables of any size in a fraction of a
second, and knows inlined functions.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from emu.observe.cfi import CallFrames, Rule
from emu.observe.disassembly import disassembler
from emu.observe.peek import instruction_bytes
from emu.observe.records import Caller, Place
from kernel.backing import FilePages
from kernel.space import AddressSpace
from kernel.vfs.inode import Inode
from kernel.vma import Prot, Vma

_PT_LOAD = 1
_LARGEST_FILE = 1 << 31
_MOST_REMEMBERED = 1 << 20


class Image:
    """One ELF file that has code mapped."""

    def __init__(self, inode: Inode) -> None:
        self._data = inode.read_at(0, min(inode.size, _LARGEST_FILE))
        self._segments = _load_segments(self._data)
        self._base = min((segment[0] for segment in self._segments), default=0)
        self._symbols: Any = _symbol_cache(self._data)
        self.frames = CallFrames(self._read)

    def _read(self, offset: int, count: int) -> bytes:
        return self._data[offset : offset + count]

    def address(self, offset: int) -> int | None:
        """The ELF's virtual address of the byte at ``offset`` of the file."""
        for address, start, size in self._segments:
            if start <= offset < start + size:
                return address + offset - start
        return None

    def look_up(self, address: int) -> list[Any]:
        """The library's source locations of an address of the ELF, the innermost function first."""
        if self._symbols is None:
            return []
        found: list[Any] = self._symbols.lookup(address - self._base)
        return found

    def start_of(self, location: Any) -> int:
        """The ELF's address where the function of a source location begins."""
        return int(location.sym_addr) + self._base


def program_file(space: AddressSpace, path: str) -> bytes:
    """What the file holds that is mapped under the name ``path``; nothing when none is."""
    for vma in space.vmas:
        if _text(vma.name) == path and isinstance(vma.backing, FilePages):
            inode = vma.backing.inode
            return inode.read_at(0, min(inode.size, _LARGEST_FILE))
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


@dataclass(slots=True)
class _Code:
    """What is known of the code of an address space; after a fork the child's is the same."""

    places: dict[int, Place] = field(default_factory=dict)
    rules: dict[int, Rule | None] = field(default_factory=dict)
    callers: dict[int, Place] = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)
    seen: set[tuple[int, int]] = field(default_factory=set)
    """The VMAs that all this was found in."""


class Symbols:
    """The places of all processes' code."""

    def __init__(self) -> None:
        self._images: dict[int, tuple[Inode, Image]] = {}
        self._code: dict[AddressSpace, _Code] = {}

    def place(self, space: AddressSpace, pc: int) -> Place:
        """Function, file and line of ``pc`` as the space is mapped now."""
        places = self._of(space).places
        place = places.get(pc)
        if place is None:
            if len(places) > _MOST_REMEMBERED:
                places.clear()
            place = places[pc] = self._find(space, pc)
        return place

    def caller(self, space: AddressSpace, address: int) -> Place:
        """The place of the call that returns to ``address``."""
        callers = self._of(space).callers
        place = callers.get(address)
        if place is None:
            if len(callers) > _MOST_REMEMBERED:
                callers.clear()
            call = self._find(space, address - 1)
            place = callers[address] = replace(call, pc=address, offset=call.offset + 1)
        return place

    def rule(self, space: AddressSpace, pc: int) -> Rule | None:
        """How to find the caller of the function that ``pc`` is in."""
        rules = self._of(space).rules
        if pc not in rules:
            if len(rules) > _MOST_REMEMBERED:
                rules.clear()
            found = self._located(space, pc)
            rules[pc] = found[0].frames.rule(found[1]) if found is not None else None
        return rules[pc]

    def instruction(self, space: AddressSpace, pc: int) -> str:
        """The instruction at ``pc`` as text; remembered where it lies in a file."""
        texts = self._of(space).texts
        text = texts.get(pc)
        if text is None:
            text = disassembler().text(instruction_bytes(space, pc), pc)
            vma = space.find(pc)
            if vma is not None and vma.backing is not None and not vma.prot & Prot.WRITE:
                texts[pc] = text
        return text

    def forked(self, parent: AddressSpace, child: AddressSpace) -> None:
        self._code[child] = self._of(parent)

    def changed(self, space: AddressSpace, start: int, end: int) -> None:
        """What is mapped in [start, end) is something else now."""
        code = self._code.get(space)
        if code is not None and any(vma.prot & Prot.EXEC for vma in space.overlapping(start, end)):
            del self._code[space]

    def unmapped(self, space: AddressSpace, start: int, end: int) -> None:
        """Nothing is mapped in [start, end) any more."""
        code = self._code.get(space)
        if code is not None and any(first < end and last > start for first, last in code.seen):
            del self._code[space]

    def discarding(self, space: AddressSpace) -> None:
        self._code.pop(space, None)

    def _of(self, space: AddressSpace) -> _Code:
        code = self._code.get(space)
        if code is None:
            code = self._code[space] = _Code()
        return code

    def _image(self, inode: Inode) -> Image:
        known = self._images.get(id(inode))
        if known is None:
            known = self._images[id(inode)] = inode, Image(inode)
        return known[1]

    def _located(self, space: AddressSpace, pc: int) -> tuple[Image, int] | None:
        """The ELF file that ``pc`` is in, and the ELF's address of it."""
        vma = space.find(pc)
        if vma is None or not isinstance(vma.backing, FilePages):
            return None
        self._of(space).seen.add((vma.start, vma.end))
        image = self._image(vma.backing.inode)
        address = image.address(vma.offset + pc - vma.start)
        return None if address is None else (image, address)

    def _find(self, space: AddressSpace, pc: int) -> Place:
        vma = space.find(pc)
        if vma is None:
            return Place(pc)
        located = self._located(space, pc)
        if located is None:
            return Place(pc, image=vma.name)
        return _place(pc, vma, *located)


def _place(pc: int, vma: Vma, image: Image, address: int) -> Place:
    found = image.look_up(address)
    if not found:
        return Place(pc, image=_text(vma.name))
    innermost, *outer = found
    return Place(
        pc,
        function=_text(innermost.symbol),
        offset=address - image.start_of(found[-1]),
        file=_text(innermost.full_path),
        line=innermost.line,
        image=_text(vma.name),
        inlined=tuple(
            Caller(_text(caller.symbol), _text(caller.full_path), caller.line) for caller in outer
        ),
    )


def _text(name: str | None) -> str:
    """A name of the guest's as proper Unicode."""
    return (name or "").encode("utf-8", "replace").decode("utf-8")
