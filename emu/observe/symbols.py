"""From a guest's pc to function, file and line: the symbol tables and DWARF of what is mapped.

What is found out about an address depends on which files have code mapped where, and on nothing
else; so processes with the same layout share it: a child with its parent, one run of a program with
the next.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from itertools import count
from typing import TypeVar

from msgspec.structs import replace

from emu.machine.decode import instruction_length
from emu.observe.cfi_program import Rule
from emu.observe.disassembly import disassembler
from emu.observe.image import Image, content
from emu.observe.records import Place, text
from kernel.backing import FilePages
from kernel.errors import Errno
from kernel.space import AddressSpace
from kernel.vfs.inode import Inode
from kernel.vma import Prot, Vma

_MOST_ADDRESSES = 1 << 16
_MOST_LAYOUTS = 64
_MOST_IMAGES = 64
_NUMBERS = count()
Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
_Layout = tuple[tuple[int, int, int, int], ...]
"""(start, end, offset, id of the image) of each range that has a file's code."""


class Known:
    """What was found out about the addresses of one layout. ``number`` is never another's."""

    def __init__(self) -> None:
        self.number = next(_NUMBERS)
        self.places: dict[int, Place] = {}
        self.callers: dict[int, Place] = {}
        self.rules: dict[int, Rule | None] = {}


class Code:
    """The code that an address space has mapped."""

    def __init__(self, space: AddressSpace, symbols: Symbols) -> None:
        self._space = space
        self._symbols = symbols
        self._images: dict[int, Image] = {}
        """By the id of the inode: to ask whether the file was written since costs a stat."""
        self.known = symbols.known(self._layout())

    def place(self, pc: int) -> Place:
        """Function, file and line of ``pc``."""
        place = self.known.places.get(pc)
        return place if place is not None else self._place(pc)

    def caller(self, address: int) -> Place:
        """The place of the call that returns to ``address``."""
        place = self.known.callers.get(address)
        if place is None:
            call = self._place(address - 1)
            place = replace(call, pc=address, offset=call.offset + 1)
            _remember(self.known.callers, address, place)
        return place

    def rule(self, pc: int) -> Rule | None:
        """How to find the caller of the function that ``pc`` is in."""
        rules = self.known.rules
        return rules[pc] if pc in rules else self._rule(pc)

    def instruction(self, pc: int, bits: int | None) -> str:
        """An instruction as text; ``?`` for one that isn't in memory."""
        return self._symbols.instruction(pc, bits) if bits is not None else "?"

    def _place(self, pc: int) -> Place:
        located = self._located(pc)
        if located is None:
            vma = self._space.find(pc)
            return Place(pc, image=text(vma.name) if vma is not None else "")
        vma, image, address = located
        place = replace(image.places[address], pc=pc, image=text(vma.name))
        _remember(self.known.places, pc, place)
        return place

    def _rule(self, pc: int) -> Rule | None:
        located = self._located(pc)
        if located is None:
            return None
        rule = located[1].rules[located[2]]
        _remember(self.known.rules, pc, rule)
        return rule

    def _located(self, pc: int) -> tuple[Vma, Image, int] | None:
        """The ELF file that ``pc`` is in, and the ELF's address of it."""
        vma = self._space.find(pc)
        if vma is None or not vma.prot & Prot.EXEC or not isinstance(vma.backing, FilePages):
            return None
        image = self._image(vma.backing.inode)
        address = image.address(vma.offset + pc - vma.start)
        return None if address is None else (vma, image, address)

    def _layout(self) -> _Layout:
        return tuple(
            (vma.start, vma.end, vma.offset, id(self._image(vma.backing.inode)))
            for vma in self._space.vmas
            if vma.prot & Prot.EXEC and isinstance(vma.backing, FilePages)
        )

    def _image(self, inode: Inode) -> Image:
        image = self._images.get(id(inode))
        if image is None:
            image = self._images[id(inode)] = self._symbols.image(inode)
        return image


class Symbols:
    """The code of all processes."""

    def __init__(self) -> None:
        self._images: dict[int, tuple[Inode, tuple[int, int] | None, Image]] = {}
        self._known: dict[_Layout, Known] = {}
        self._code: dict[AddressSpace, Code] = {}
        self._texts: dict[tuple[int, int], str] = {}

    def of(self, space: AddressSpace) -> Code:
        code = self._code.get(space)
        if code is None:
            code = self._code[space] = Code(space, self)
        return code

    def changed(self, space: AddressSpace, start: int, end: int) -> None:
        """What is mapped in [start, end) is something else now, or nothing."""
        self._code.pop(space, None)

    def discarding(self, space: AddressSpace) -> None:
        self._code.pop(space, None)

    def known(self, layout: _Layout) -> Known:
        return _kept(self._known, layout, Known, _MOST_LAYOUTS)

    def image(self, inode: Inode) -> Image:
        """Read anew when the file was written since: a program may compile another."""
        version = _version(inode)
        known = self._images.get(id(inode))
        if known is None or version not in (None, known[1]):
            self._images.pop(id(inode), None)
            made = inode, version, Image(inode)
            known = _kept(self._images, id(inode), lambda: made, _MOST_IMAGES)
        return known[2]

    def instruction(self, pc: int, bits: int) -> str:
        text = self._texts.get((pc, bits))
        if text is None:
            code = bits.to_bytes(instruction_length(bits), "little")
            made = disassembler().text(code, pc)
            text = _kept(self._texts, (pc, bits), lambda: made, _MOST_ADDRESSES)
        return text


def _remember(found: dict[int, Value], address: int, value: Value) -> None:
    if len(found) >= _MOST_ADDRESSES:
        found.clear()
    found[address] = value


def _kept(known: dict[Key, Value], key: Key, make: Callable[[], Value], most: int) -> Value:
    """The value of ``key``; the oldest goes when a new one would be too many."""
    value = known.get(key)
    if value is None:
        if len(known) >= most:
            del known[next(iter(known))]
        value = known[key] = make()
    return value


def _version(inode: Inode) -> tuple[int, int] | None:
    """What changes when the file is written; None when it is out of reach."""
    try:
        stat = inode.stat()
    except Errno:
        return None
    return stat.mtime, stat.size


def program_file(space: AddressSpace, path: str) -> bytes:
    """What the file holds that is mapped under the name ``path``; nothing when none is."""
    for vma in space.vmas:
        if text(vma.name) == path and isinstance(vma.backing, FilePages):
            return content(vma.backing.inode)
    return b""
