"""Code layouts: the files mapped as code in the address spaces of a run, each emitted once."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from msgspec.structs import replace

from emu.observe.model.guest_memory import file_content
from emu.observe.model.raw_events import (
    CodeReleased,
    DebugFile,
    EventReceiver,
    ImageFile,
    Layout,
    Mapped,
)
from emu.observe.model.records import text
from kernel.base.errors import Errno
from kernel.mm.address_space import AddressSpace
from kernel.mm.backing.file_pages import mapped_file
from kernel.vfs.core.inode import Inode

if TYPE_CHECKING:
    from emu.observe.symbols.symbolizer import Code, Symbols

_MAX_CACHED: Final = 64
"""Maximum number of files, and of layouts, in the cache."""
Value = TypeVar("Value")
_Version = tuple[int, int] | None
FindDebugFiles = Callable[[bytes, str], list[DebugFile]]
"""Finds the separate debug files for a file's content and its path."""


class _File(NamedTuple):
    """A file with code; it gets another number after a write."""

    number: int
    inode: Inode
    version: _Version
    path: str


class _CachedLayout(NamedTuple):
    layout: Layout
    files: list[_File]


class Layouts:
    """Emits a layout and its files to ``receiver`` before the first use of its number."""

    def __init__(
        self, receiver: EventReceiver, find_debug_files: FindDebugFiles = lambda data, path: []
    ) -> None:
        self._emit = receiver.receive
        self._find_debug_files = find_debug_files
        self._count = count(1)
        self._files: dict[int, _File] = {}
        """Files by the id of their inode."""
        self._cached: dict[tuple[Mapped, ...], _CachedLayout] = {}
        self.known: dict[AddressSpace, tuple[int, bool]] = {}
        """Results of :meth:`of`."""
        self._cached_of: dict[AddressSpace, _CachedLayout] = {}
        """The layouts of spaces, or the last ones of those that have changed."""
        self._remapped: dict[AddressSpace, set[int]] = {}
        """Numbers of the files of these last layouts whose ranges have changed since."""
        self._symbols: Symbols | None = None

    def of(self, space: AddressSpace, sigreturn: int | None = None) -> tuple[int, bool]:
        """Returns the number of the space's layout, and whether files back all of its code.

        The page that contains ``sigreturn`` is the kernel's and does not count.
        """
        return self.known.get(space) or self._build(space, sigreturn or 0)

    def inherited(self, parent: AddressSpace, child: AddressSpace) -> None:
        """Notes that a fork copied ``parent``: if all of it, its layout is the child's, too."""
        if parent in self.known and len(child.vmas) == len(parent.vmas):
            self.known[child] = self.known[parent]
            self._cached_of[child] = self._cached_of[parent]

    def changed(self, space: AddressSpace, start: int, end: int) -> None:
        """Invalidates the space's layout if the change of [start, end) may concern code."""
        last = self._cached_of.get(space)
        if last is None:
            return
        changed = [each for each in last.layout.ranges if each.start < end and start < each.end]
        for each in changed:
            self._remapped.setdefault(space, set()).add(each.image)
        code = self.known.get(space)
        if code is not None and (
            not code[1] or changed or any(vma.executable for vma in space.overlapping(start, end))
        ):
            del self.known[space]
            self._trim()

    def discarding(self, space: AddressSpace) -> None:
        self.known.pop(space, None)
        self._cached_of.pop(space, None)
        self._remapped.pop(space, None)
        self._trim()

    def code(self, space: AddressSpace) -> Code:
        """Returns the space's code for use in this process, which reads the files once more."""
        from emu.observe.symbols.symbolizer import Symbols

        number, _ = self.of(space)
        symbols = self._symbols = self._symbols or Symbols()
        if not symbols.knows(number):
            cached = self._cached_of[space]
            for file in cached.files:
                if not symbols.has(file.number):
                    symbols.add_image(self._image(file))
            symbols.add_layout(cached.layout)
        return symbols.code(number)

    def _build(self, space: AddressSpace, sigreturn: int) -> tuple[int, bool]:
        executable = [vma for vma in space.vmas if vma.executable]
        code = [vma for vma in executable if not vma.start <= sigreturn < vma.end]
        files = self._mapped_before(space)
        ranges = tuple(
            Mapped(vma.start, vma.end, vma.offset, self._file(inode, files, vma.name), vma.name)
            for vma in code
            if (inode := mapped_file(vma.backing)) is not None
        )
        cached = self._cached.get(ranges)
        if cached is None:
            named = [replace(each, name=text(each.name)) for each in ranges]
            numbers = {each.image for each in ranges}
            used = [file for file in files.values() if file.number in numbers]
            cached = _CachedLayout(Layout(next(self._count), named), used)
            self._cached[ranges] = cached
            self._emit(cached.layout)
        self._cached_of[space] = cached
        found = self.known[space] = cached.layout.number, len(ranges) == len(code)
        return found

    def _mapped_before(self, space: AddressSpace) -> dict[int, _File]:
        """Files, by the id of their inode, that the space has mapped since its last layout: only
        others may have been written before they were mapped.
        """
        last, remapped = self._cached_of.get(space), self._remapped.pop(space, ())
        return {
            id(file.inode): file
            for file in ([] if last is None else last.files)
            if file.number not in remapped and self._files.get(id(file.inode)) is file
        }

    def _image(self, file: _File) -> ImageFile:
        data = file_content(file.inode)
        return ImageFile(file.number, data, self._find_debug_files(data, file.path))

    def _file(self, inode: Inode, files: dict[int, _File], path: str) -> int:
        """Returns the file's number; a new one after a write, such as a new compilation."""
        file = files.get(id(inode))
        if file is None:
            version = _version(inode)
            file = self._files.get(id(inode))
            if file is None or version not in (None, file.version):
                if file is not None:
                    self._release(file.number)
                file = self._files[id(inode)] = _File(next(self._count), inode, version, path)
                self._emit(self._image(file))
            files[id(inode)] = file
        return file.number

    def _trim(self) -> None:
        """Evicts the oldest entries. Not to be called while an event is built: it may use them.

        A layout holds its files.
        """
        while len(self._cached) > _MAX_CACHED:
            oldest = _pop_oldest(self._cached)
            for space in [space for space, it in self._cached_of.items() if it is oldest]:
                del self._cached_of[space]
                self.known.pop(space, None)
            self._release(oldest.layout.number)
        while len(self._files) > _MAX_CACHED:
            self._release(_pop_oldest(self._files).number)

    def _release(self, number: int) -> None:
        self._emit(CodeReleased(number))
        if self._symbols is not None:
            self._symbols.forget(number)


def _pop_oldest(table: dict[Any, Value]) -> Value:
    return table.pop(next(iter(table)))


def _version(inode: Inode) -> _Version:
    """Returns a value that changes with each write of the file; None when it has no stat."""
    try:
        stat = inode.stat()
    except Errno:
        return None
    return stat.mtime, stat.size
