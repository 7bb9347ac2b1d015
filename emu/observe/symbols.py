"""From a guest's pc to function, file and line: the symbol tables and DWARF of what is mapped.

A file is read when the first address in it is asked for, and what was found for an address is
remembered. The library ``symbolic`` reads DWARF and symbol tables of any size in a fraction of a
second, and knows inlined functions.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from msgspec.structs import replace

from emu.observe.cfi_program import Rule
from emu.observe.disassembly import disassembler
from emu.observe.image import Image, content
from emu.observe.peek import instruction_bytes
from emu.observe.records import Place, text
from emu.observe.remembered import Remembered
from kernel.backing import FilePages
from kernel.errors import Errno
from kernel.space import AddressSpace
from kernel.vfs.inode import Inode
from kernel.vma import Prot, Vma

_NUMBERS = count()


class Code:
    """What is known of the code that an address space has mapped.

    ``places``: the place of a pc. ``callers``: of the call that returns to an address. ``rules``:
    how to find the caller of a pc's function. ``texts``: the instruction at a pc.
    """

    def __init__(self, space: AddressSpace, image_of: Callable[[Inode], Image]) -> None:
        self.space = space
        self.number = next(_NUMBERS)
        """Never that of another one."""
        self._image_of = image_of
        self.seen: set[tuple[int, int]] = set()
        """The ranges that all this was found in."""
        self.places = Remembered(self._place)
        self.callers = Remembered(self._caller)
        self.rules = Remembered(self._rule)
        self.texts = Remembered(self._text)

    def _located(self, pc: int) -> tuple[Vma, Image, int] | None:
        """The ELF file that ``pc`` is in, and the ELF's address of it."""
        vma = self.space.find(pc)
        if vma is None or not isinstance(vma.backing, FilePages):
            return None
        self.seen.add((vma.start, vma.end))
        image = self._image_of(vma.backing.inode)
        address = image.address(vma.offset + pc - vma.start)
        return None if address is None else (vma, image, address)

    def _place(self, pc: int) -> Place:
        located = self._located(pc)
        if located is None:
            vma = self.space.find(pc)
            return Place(pc, image=text(vma.name) if vma is not None else "")
        vma, image, address = located
        return replace(image.places[address], pc=pc, image=text(vma.name))

    def _caller(self, address: int) -> Place:
        call = self._place(address - 1)
        return replace(call, pc=address, offset=call.offset + 1)

    def _rule(self, pc: int) -> Rule | None:
        located = self._located(pc)
        return located[1].rules[located[2]] if located is not None else None

    def _text(self, pc: int) -> str:
        code = instruction_bytes(self.space, pc)
        return disassembler().text(code, pc) if code is not None else "?"

    def instruction(self, pc: int) -> str:
        """The instruction at ``pc`` as text; remembered where it lies in a file."""
        if pc in self.texts:
            return self.texts[pc]
        vma = self.space.find(pc)
        if vma is not None and vma.backing is not None and not vma.prot & Prot.WRITE:
            return self.texts[pc]
        return self._text(pc)


class Symbols:
    """The code of all processes. A child has what its parent had found, until either maps other."""

    def __init__(self) -> None:
        self._images: dict[int, tuple[Inode, tuple[int, int] | None, Image]] = {}
        self._code: dict[AddressSpace, Code] = {}

    def of(self, space: AddressSpace) -> Code:
        code = self._code.get(space)
        if code is None:
            code = self._code[space] = Code(space, self._image)
        return code

    def _image(self, inode: Inode) -> Image:
        """Read anew when the file was written since: a program may compile another."""
        version = _version(inode)
        known = self._images.get(id(inode))
        if known is None or version not in (None, known[1]):
            known = self._images[id(inode)] = inode, version, Image(inode)
        return known[2]

    def forked(self, parent: AddressSpace, child: AddressSpace) -> None:
        self._code[child] = self.of(parent)

    def changed(self, space: AddressSpace, start: int, end: int) -> None:
        """What is mapped in [start, end) is something else now."""
        if any(vma.prot & Prot.EXEC for vma in space.overlapping(start, end)):
            self.discarding(space)

    def unmapped(self, space: AddressSpace, start: int, end: int) -> None:
        """Nothing is mapped in [start, end) any more."""
        code = self._code.get(space)
        if code is not None and any(first < end and last > start for first, last in code.seen):
            self.discarding(space)

    def discarding(self, space: AddressSpace) -> None:
        """Nothing that was found in ``space`` holds for it any more; for its children it does."""
        code = self._code.pop(space, None)
        if code is not None and code.space is space:
            code.space = next((other for other, its in self._code.items() if its is code), space)


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
