"""Content of a file in memory, with holes: only pages that were written use memory.

In a machine the pages are frames, and mappings of the file map the same frames, so this is also
the backing of the mappings (kernel.mm.backing). Without a machine they are pages of the host
(:class:`HostPages`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from kernel.base.errno import EFBIG, ENOSPC
from kernel.base.errors import Errno
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.linux_abi import MAX_FILE_SIZE

PAGE = 4096
_ZEROS = bytes(PAGE)


class PageStore(Protocol):
    """Allocator of pages for files in memory. A page is identified by a number."""

    files: set[SparseBytes]
    """Files that have pages."""

    @property
    def total(self) -> int:
        """Total number of pages."""

    @property
    def free(self) -> int:
        """Number of pages that files may still allocate."""

    def take(self, zeroed: bool, /) -> int:
        """Allocates a page, with undefined content unless ``zeroed``; ENOSPC when none is left."""

    def give_back(self, pages: list[int], /) -> None: ...
    def read(self, page: int, start: int, count: int, /) -> bytes: ...
    def write(self, page: int, start: int, data: memoryview | bytes, /) -> None: ...

    def unmap(self, file: SparseBytes, first: int, last: int | None = None, /) -> None:
        """Removes the file's pages, from number ``first`` on, from every address space."""


class HostPages:
    """Pages for a file system that does not belong to a machine."""

    def __init__(self, total: int = 1 << 16) -> None:
        self.files: set[SparseBytes] = set()
        self.total = total
        self._pages: dict[int, bytearray] = {}
        self._next = 0

    @property
    def free(self) -> int:
        return self.total - len(self._pages)

    def take(self, zeroed: bool) -> int:
        if not self.free:
            raise Errno(ENOSPC)
        self._next += 1
        self._pages[self._next] = bytearray(PAGE)
        return self._next

    def give_back(self, pages: list[int]) -> None:
        for page in pages:
            del self._pages[page]

    def read(self, page: int, start: int, count: int) -> bytes:
        return bytes(self._pages[page][start : start + count])

    def write(self, page: int, start: int, data: memoryview | bytes) -> None:
        self._pages[page][start : start + len(data)] = data

    def unmap(self, file: SparseBytes, first: int, last: int | None = None) -> None:
        pass


class SparseBytes:
    """``size`` bytes in pages of ``store``; missing pages read as zeros.

    ``charge`` is called with the number of pages before they are allocated, and with a negative
    number when they are released; it raises Errno to refuse.
    """

    in_memory = True

    def __init__(self, store: PageStore, charge: Callable[[int], None]) -> None:
        self.store = store
        self.size = 0
        self.users = 0
        """Number of mappings that use it (kernel.mm.backing.backing.Backing)."""
        self.dirty: set[int] = set()
        self.inode: Inode | None = None
        """The file's node, set while it is mapped."""
        self._charge = charge
        self._pages: dict[int, int] = {}
        self._order: list[int] | None = []
        """Numbers of the pages in ascending order; None when it must be computed."""

    @property
    def allocated(self) -> int:
        """Bytes held."""
        return len(self._pages) * PAGE

    def read(self, offset: int, count: int) -> bytes:
        """Up to ``count`` bytes; the caller bounds ``count``."""
        count = min(count, self.size - offset)
        if count <= 0:
            return b""
        pieces: list[bytes] = []
        index, start = divmod(offset, PAGE)
        while count > 0:
            length = min(count, PAGE - start)
            page = self._pages.get(index)
            pieces.append(_ZEROS[:length] if page is None else self.store.read(page, start, length))
            count -= length
            index, start = index + 1, 0
        return b"".join(pieces)

    def write(self, offset: int, data: bytes) -> int:
        """Returns the number of bytes written, fewer when no pages are left; ENOSPC for none."""
        if offset + len(data) > MAX_FILE_SIZE:
            raise Errno(EFBIG)
        view, done = memoryview(data), 0
        index, start = divmod(offset, PAGE)
        while done < len(data):
            length = min(len(data) - done, PAGE - start)
            try:
                page = self._page(index, zeroed=length < PAGE)
            except Errno:
                if done:
                    break
                raise
            self.store.write(page, start, view[done : done + length])
            self.dirty.add(index)
            done += length
            self.size = max(self.size, offset + done)
            index, start = index + 1, 0
        return done

    def truncate(self, size: int) -> None:
        """Sets the size; new bytes are a hole."""
        if size > MAX_FILE_SIZE:
            raise Errno(EFBIG)
        if size < self.size:
            last, keep = divmod(size, PAGE)
            self._drop(last + bool(keep), MAX_FILE_SIZE)
            if keep and last in self._pages:
                self.store.write(self._pages[last], keep, _ZEROS[keep:])
        self.size = size

    def reserve(self, offset: int, end: int) -> None:
        """Allocates all missing pages of [offset, end), or none (fallocate(2))."""
        first, last = offset // PAGE, (end + PAGE - 1) // PAGE
        if last - first > self.store.total:
            raise Errno(ENOSPC)
        missing = [index for index in range(first, last) if index not in self._pages]
        taken: list[int] = []
        try:
            for index in missing:
                self._page(index, zeroed=True)
                taken.append(index)
        except Errno:
            self._release(taken)
            raise

    def punch(self, offset: int, end: int) -> None:
        """Zeroes [offset, end); whole pages are unmapped and released."""
        first, last = -(-offset // PAGE), end // PAGE
        if first > last:
            self._zero(offset, end)
            return
        self._zero(offset, first * PAGE)
        self._zero(last * PAGE, end)
        if self.users:
            self.store.unmap(self, first, last)
        self._drop(first, last)

    def seek(self, offset: int, hole: bool) -> int:
        """Returns the next offset from ``offset`` on in data, or in a hole; else ``size``."""
        index = offset // PAGE
        if hole:
            while index in self._pages:
                index += 1
        elif index not in self._pages:
            order = self._sorted()
            at = bisect_left(order, index)
            index = order[at] if at < len(order) else self.size // PAGE + 1
        return min(self.size, max(offset, index * PAGE))

    def release(self) -> None:
        """Releases all pages when the file is deleted."""
        self._release(list(self._pages))

    # Methods of kernel.mm.backing.backing.Backing and of kernel.vfs.core.inode.Mapping.

    def frame(self, index: int) -> int | None:
        """Returns the frame of page ``index``; None beyond the end; ENOSPC."""
        if index * PAGE >= self.size:
            return None
        return self._page(index, zeroed=True)

    needs_write_notice = False
    in_huge_pages = False

    def cached(self, first: int, end: int) -> list[tuple[int, int]]:
        end = min(end, -(-self.size // PAGE))
        return [(index, self._pages[index]) for index in range(first, end) if index in self._pages]

    def resident(self, index: int) -> bool:
        return index in self._pages

    def stored_to(self, index: int) -> None:
        self.dirty.add(index)
        if self.inode is not None:
            self.inode.mark_modified()

    def write_back(self, first: int, last: int) -> None:
        pass

    def remove(self, first: int, last: int) -> None:
        if self.inode is not None:
            self.inode.punch_file(first * PAGE, (last + 1 - first) * PAGE)

    def unmapped(self, space: object, first: int, end: int) -> None:
        pass

    def unused(self) -> None:
        inode, self.inode = self.inode, None
        if inode is not None:
            inode.mapping = None

    def held(self) -> Mapping[int, int]:
        return self._pages

    def overlay(self, offset: int, data: bytes) -> bytes:
        return data

    def after_write(self, offset: int, data: bytes) -> None:
        pass

    def after_punch(self, start: int, end: int) -> None:
        pass

    def after_truncate(self, size: int) -> None:
        if self.users:
            self.store.unmap(self, (size + PAGE - 1) // PAGE)

    # Pages.

    def _page(self, index: int, *, zeroed: bool) -> int:
        page = self._pages.get(index)
        if page is not None:
            return page
        self._charge(1)
        try:
            page = self.store.take(zeroed)
        except Errno:
            self._charge(-1)
            raise
        if not self._pages:
            self.store.files.add(self)
        self._pages[index] = page
        if self._order is not None and (not self._order or index > self._order[-1]):
            self._order.append(index)
        else:
            self._order = None
        return page

    def _sorted(self) -> list[int]:
        if self._order is None:
            self._order = sorted(self._pages)
        return self._order

    def _zero(self, offset: int, end: int) -> None:
        """Writes zeros to [offset, end), which lies in one page."""
        page = self._pages.get(offset // PAGE)
        if page is not None and offset < end:
            self.store.write(page, offset % PAGE, _ZEROS[: end - offset])

    def _drop(self, first: int, last: int) -> None:
        """Releases the pages from number ``first`` up to, not including, ``last``."""
        order = self._sorted()
        self._release(order[bisect_left(order, first) : bisect_left(order, last)])

    def _release(self, indices: Iterable[int]) -> None:
        pages = [self._pages.pop(index) for index in indices]
        if not pages:
            return
        self._order = None if self._pages else []
        self.dirty &= self._pages.keys()
        self.store.give_back(pages)
        self._charge(-len(pages))
        if not self._pages:
            self.store.files.discard(self)
