"""Which files have code mapped where in the address spaces of a run, told of once each."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from emu.observe.facts import Forgotten, ImageFile, Layout, Listener, Mapped
from emu.observe.records import text
from kernel.backing import FilePages
from kernel.errors import Errno
from kernel.space import AddressSpace
from kernel.vfs.inode import Inode
from kernel.vma import Prot, Vma

if TYPE_CHECKING:
    from emu.observe.symbols import Code, Symbols

_LARGEST_FILE = 1 << 31
_MOST = 64
"""Files, and layouts, that are kept."""
Value = TypeVar("Value")
_Version = tuple[int, int] | None


class _File(NamedTuple):
    """A file with code; it has another number once it was written."""

    number: int
    inode: Inode
    version: _Version


class _Known(NamedTuple):
    layout: Layout
    files: list[_File]


class Layouts:
    """Tells ``listener`` of a layout, and of its files, before its number is first used."""

    def __init__(self, listener: Listener) -> None:
        self._tell = listener.tell
        self._count = count(1)
        self._files: dict[int, _File] = {}
        """By the inode's id."""
        self._known: dict[tuple[Mapped, ...], _Known] = {}
        self._of: dict[AddressSpace, _Known] = {}
        self._symbols: Symbols | None = None

    def of(self, space: AddressSpace) -> int:
        """The number of the space's layout."""
        known = self._of.get(space)
        if known is None:
            known = self._of[space] = self._look(space)
        return known.layout.number

    def changed(self, space: AddressSpace, start: int, end: int) -> None:
        """Something else may be mapped in [start, end) now, or nothing."""
        known = self._of.get(space)
        if known is not None and (
            any(each.start < end and start < each.end for each in known.layout.ranges)
            or any(_is_code(vma) for vma in space.overlapping(start, end))
        ):
            del self._of[space]

    def discarding(self, space: AddressSpace) -> None:
        self._of.pop(space, None)

    def code(self, space: AddressSpace) -> Code:
        """To look into the space's code on this side, which takes its files' content once more."""
        from emu.observe.symbols import Symbols

        number = self.of(space)
        symbols = self._symbols = self._symbols or Symbols()
        if not symbols.knows(number):
            known = self._of[space]
            for file in known.files:
                symbols.add_image(ImageFile(file.number, content(file.inode)))
            symbols.add_layout(known.layout)
            for file in known.files:
                symbols.forget(file.number)
        return symbols.code(number)

    def _look(self, space: AddressSpace) -> _Known:
        files: dict[int, _File] = {}  # to ask whether a file was written since costs a stat
        ranges = tuple(_mapped(vma, self._file(vma, files)) for vma in space.vmas if _is_code(vma))
        known = self._known.get(ranges)
        if known is None:
            known = _Known(Layout(next(self._count), list(ranges)), list(files.values()))
            self._known[ranges] = known
            self._tell(known.layout)
            self._trim()
        return known

    def _trim(self) -> None:
        """Files go once the layout that meant them is told of: it keeps them."""
        if len(self._known) > _MOST:
            oldest = _pop_oldest(self._known)
            for space in [space for space, known in self._of.items() if known is oldest]:
                del self._of[space]
            self._forget(oldest.layout.number)
        while len(self._files) > _MOST:
            self._forget(_pop_oldest(self._files).number)

    def _forget(self, number: int) -> None:
        self._tell(Forgotten(number))
        if self._symbols is not None:
            self._symbols.forget(number)

    def _file(self, vma: Vma, files: dict[int, _File]) -> _File | None:
        if not isinstance(vma.backing, FilePages):
            return None
        inode = vma.backing.inode
        file = files.get(id(inode))
        if file is None:
            file = files[id(inode)] = self._current(inode)
        return file

    def _current(self, inode: Inode) -> _File:
        """Another one when the file was written since: a program may compile another."""
        version = _version(inode)
        file = self._files.get(id(inode))
        if file is None or version not in (None, file.version):
            if file is not None:
                self._forget(self._files.pop(id(inode)).number)
            file = self._files[id(inode)] = _File(next(self._count), inode, version)
            self._tell(ImageFile(file.number, content(inode)))
        return file


def _pop_oldest(table: dict[Any, Value]) -> Value:
    return table.pop(next(iter(table)))


def _is_code(vma: Vma) -> bool:
    return bool(vma.prot & Prot.EXEC)


def _mapped(vma: Vma, file: _File | None) -> Mapped:
    return Mapped(vma.start, vma.end, vma.offset, file.number if file else 0, text(vma.name))


def content(inode: Inode) -> bytes:
    """What a file holds; nothing when it can't be read."""
    try:
        return inode.read_at(0, min(inode.size, _LARGEST_FILE))
    except Errno:
        return b""


def _version(inode: Inode) -> _Version:
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
