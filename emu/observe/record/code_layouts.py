"""Which files have code mapped where in the address spaces of a run, told of once each."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from msgspec.structs import replace

from emu.observe.model.guest_memory import file_content
from emu.observe.model.raw_events import DebugFile, Forgotten, ImageFile, Layout, Listener, Mapped
from emu.observe.model.records import text
from kernel.base.errors import Errno
from kernel.mm.address_space import AddressSpace
from kernel.mm.page_cache import mapped_file
from kernel.mm.vma import Prot
from kernel.vfs.core.inode import Inode

if TYPE_CHECKING:
    from emu.observe.symbols.symbolizer import Code, Symbols

_MOST = 64
"""Files, and layouts, that are kept."""
Value = TypeVar("Value")
_Version = tuple[int, int] | None
Look = Callable[[bytes, str], list[DebugFile]]
"""The files with debug information of what a file holds that is at a path."""


class _File(NamedTuple):
    """A file with code; it has another number once it was written."""

    number: int
    inode: Inode
    version: _Version
    path: str


class _Known(NamedTuple):
    layout: Layout
    files: list[_File]


class Layouts:
    """Tells ``listener`` of a layout, and of its files, before its number is first used."""

    def __init__(self, listener: Listener, look: Look = lambda data, path: []) -> None:
        self._tell = listener.tell
        self._look_for_debug = look
        self._count = count(1)
        self._files: dict[int, _File] = {}
        """By the inode's id."""
        self._known: dict[tuple[Mapped, ...], _Known] = {}
        self._of: dict[AddressSpace, tuple[int, bool]] = {}
        self._known_of: dict[AddressSpace, _Known] = {}
        self._symbols: Symbols | None = None

    def of(self, space: AddressSpace, sigreturn: int | None = None) -> tuple[int, bool]:
        """The number of the space's layout; and whether all of its code is a file's.

        But for the page that the kernel gives it, where ``sigreturn`` is.
        """
        return self._of.get(space) or self._look(space, sigreturn or 0)

    def changed(self, space: AddressSpace, start: int, end: int) -> None:
        """Something else may be mapped in [start, end) now, or nothing."""
        code = self._of.get(space)
        if code is not None and (
            not code[1]
            or any(each.start < end and start < each.end for each in self._ranges(space))
            or any(vma.prot & Prot.EXEC for vma in space.overlapping(start, end))
        ):
            self.discarding(space)

    def discarding(self, space: AddressSpace) -> None:
        self._of.pop(space, None)
        self._known_of.pop(space, None)
        self._trim()

    def _ranges(self, space: AddressSpace) -> list[Mapped]:
        return self._known_of[space].layout.ranges

    def code(self, space: AddressSpace) -> Code:
        """To look into the space's code on this side, which takes its files' content once more."""
        from emu.observe.symbols.symbolizer import Symbols

        number, _ = self.of(space)
        symbols = self._symbols = self._symbols or Symbols()
        if not symbols.knows(number):
            known = self._known_of[space]
            for file in known.files:
                if not symbols.has(file.number):
                    symbols.add_image(self._image(file))
            symbols.add_layout(known.layout)
        return symbols.code(number)

    def _look(self, space: AddressSpace, sigreturn: int) -> tuple[int, bool]:
        executable = [vma for vma in space.vmas if vma.prot & Prot.EXEC]
        code = [vma for vma in executable if not vma.start <= sigreturn < vma.end]
        files: dict[int, _File] = {}  # to ask whether a file was written since costs a stat
        ranges = tuple(
            Mapped(vma.start, vma.end, vma.offset, self._file(inode, files, vma.name), vma.name)
            for vma in code
            if (inode := mapped_file(vma.backing)) is not None
        )
        known = self._known.get(ranges)
        if known is None:
            told = [replace(each, name=text(each.name)) for each in ranges]
            known = _Known(Layout(next(self._count), told), list(files.values()))
            self._known[ranges] = known
            self._tell(known.layout)
        self._known_of[space] = known
        found = self._of[space] = known.layout.number, len(ranges) == len(code)
        return found

    def _image(self, file: _File) -> ImageFile:
        data = file_content(file.inode)
        return ImageFile(file.number, data, self._look_for_debug(data, file.path))

    def _file(self, inode: Inode, files: dict[int, _File], path: str) -> int:
        """Its number: another one when it was written since, as a program that is compiled anew."""
        file = files.get(id(inode))
        if file is None:
            version = _version(inode)
            file = self._files.get(id(inode))
            if file is None or version not in (None, file.version):
                if file is not None:
                    self._forget(file.number)
                file = self._files[id(inode)] = _File(next(self._count), inode, version, path)
                self._tell(self._image(file))
            files[id(inode)] = file
        return file.number

    def _trim(self) -> None:
        """Not while a fact is gathered, which may mean any of them. Layouts keep their files."""
        while len(self._known) > _MOST:
            oldest = _pop_oldest(self._known)
            for space in [space for space, it in self._known_of.items() if it is oldest]:
                del self._of[space], self._known_of[space]
            self._forget(oldest.layout.number)
        while len(self._files) > _MOST:
            self._forget(_pop_oldest(self._files).number)

    def _forget(self, number: int) -> None:
        self._tell(Forgotten(number))
        if self._symbols is not None:
            self._symbols.forget(number)


def _pop_oldest(table: dict[Any, Value]) -> Value:
    return table.pop(next(iter(table)))


def _version(inode: Inode) -> _Version:
    """What changes when the file is written; None when it is out of reach."""
    try:
        stat = inode.stat()
    except Errno:
        return None
    return stat.mtime, stat.size
