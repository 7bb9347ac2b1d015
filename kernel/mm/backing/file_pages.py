"""Cached pages of a file."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from emu.machine.pte import PAGE_MASK, PAGE_SHIFT, PAGE_SIZE
from kernel.base.errors import Errno, OutOfMemory
from kernel.mm.backing.backing import Backing, Unmap, empty_page, held_between
from kernel.mm.physical.frames import Frames, Kind
from kernel.vfs.core.inode import Inode
from kernel.vfs.memfs.sparse_bytes import SparseBytes


class FilePages:
    """Cached pages of one file; a :class:`kernel.vfs.core.inode.Mapping`."""

    needs_write_notice = True
    in_huge_pages = False
    in_memory = False

    def __init__(self, frames: Frames, inode: Inode, unmap: Unmap) -> None:
        self.users = 0
        self.dirty: set[int] = set()
        self.inode = inode
        self._frames = frames
        self._unmap = unmap
        self._pages: dict[int, int] = {}
        self._stored: set[int] = set()
        """Pages that some process can store to, and that may be newer than the file."""
        self._version = self._read_version()

    def frame(self, index: int) -> int | None:
        ppn = self._pages.get(index)
        if ppn is not None:
            return ppn
        data = self.inode.read_at(index << PAGE_SHIFT, PAGE_SIZE)
        if not data and index << PAGE_SHIFT >= self.inode.size:
            return None
        ppn = self._frames.allocate_zeroed(Kind.CACHE)
        self._frames.ram.write(ppn << PAGE_SHIFT, data)
        self._pages[index] = ppn
        return ppn

    def cached(self, first: int, end: int) -> list[tuple[int, int]]:
        held = held_between(self._pages, first, end)
        if len(held) == end - first:
            return held
        self._read_ahead(first, min(end, -(-self.inode.size // PAGE_SIZE)))
        return held_between(self._pages, first, end)

    def _read_ahead(self, first: int, end: int) -> None:
        """Reads missing pages, as readahead and earlier runs have done on a system in use.

        Stops when memory is short, and at errors, which a fault on the page itself reports.
        """
        with suppress(Errno, OutOfMemory):
            for index in range(first, end):
                if index not in self._pages and self._frames.is_plenty():
                    self.frame(index)

    def resident(self, index: int) -> bool:
        return index in self._pages

    def held(self) -> Mapping[int, int]:
        return self._pages

    def was_stored_to(self, index: int) -> bool:
        """Returns whether a process may have stored to the page."""
        return index in self._stored

    def stored_to(self, index: int) -> None:
        self._stored.add(index)

    def write_back(self, first: int, last: int) -> None:
        if last - first < len(self._stored):
            stored = [index for index in range(first, last + 1) if index in self._stored]
        else:
            stored = sorted(index for index in self._stored if first <= index <= last)
        for index in stored:
            self._write_page(index)
        self.dirty.difference_update(stored)

    def _write_page(self, index: int) -> None:
        offset = index << PAGE_SHIFT
        count = min(PAGE_SIZE, self.inode.size - offset)
        if count > 0:
            data = self._frames.ram.read_frame(self._pages[index])[:count]
            self.inode.write_at(offset, data)

    def unmapped(self, space: object, first: int, end: int) -> None:
        pass

    def unused(self) -> None:
        """Writes modified pages to the file; the frames stay cached until they are reclaimed.

        Data that cannot be written (a full disk) is lost, as in Linux without msync(2).
        """
        for index in sorted(self._stored):
            with suppress(Errno):
                self._write_page(index)
        self._stored.clear()

    def refresh(self) -> None:
        """Drops the cached pages if the file was changed from outside the machine."""
        version = self._read_version()
        if version != self._version:
            self.drop()
            self._version = version

    def _read_version(self) -> tuple[int, int]:
        stat = self.inode.stat()
        return stat.mtime, stat.size

    def drop(self) -> bool:
        """Frees the frames that only the cache references; returns whether there were any."""
        free = [
            index
            for index, ppn in self._pages.items()
            if index not in self._stored and self._frames.count(ppn) == 1
        ]
        self._frames.release_each([self._pages.pop(index) for index in free])
        return bool(free)

    @property
    def empty(self) -> bool:
        return not self._pages

    # Calls of reads and writes through descriptors (kernel.vfs.core.inode.Mapping).

    def overlay(self, offset: int, data: bytes) -> bytes:
        if not self._stored:
            return data
        merged = bytearray(data)
        for index in self._stored:
            page = index << PAGE_SHIFT
            start, end = max(page, offset), min(page + PAGE_SIZE, offset + len(data))
            if start < end:
                pa = (self._pages[index] << PAGE_SHIFT) + start - page
                merged[start - offset : end - offset] = self._frames.ram.read(pa, end - start)
        return bytes(merged)

    def after_write(self, offset: int, data: bytes) -> None:
        view = memoryview(data)
        end = offset + len(data)
        for index in range(offset >> PAGE_SHIFT, (end + PAGE_SIZE - 1) >> PAGE_SHIFT):
            ppn = self._pages.get(index)
            if ppn is None:
                continue
            page = index << PAGE_SHIFT
            start, stop = max(page, offset), min(page + PAGE_SIZE, end)
            pa = (ppn << PAGE_SHIFT) + start - page
            self._frames.ram.write(pa, view[start - offset : stop - offset])

    def remove(self, first: int, last: int) -> None:
        self.inode.punch_file(first << PAGE_SHIFT, last + 1 - first << PAGE_SHIFT)

    def after_punch(self, start: int, end: int) -> None:
        if self.users:
            self._unmap(self, -(-start // PAGE_SIZE), end >> PAGE_SHIFT)
        for index in [index for index in self._pages if start >> PAGE_SHIFT <= index]:
            page = index << PAGE_SHIFT
            first, stop = max(start, page), min(end, page + PAGE_SIZE)
            if stop - first == PAGE_SIZE:
                empty_page(self._frames, self._pages, index)
            elif first < stop:
                pa = (self._pages[index] << PAGE_SHIFT) + first - page
                self._frames.ram.write(pa, bytes(stop - first))
        self._stored &= self._pages.keys()

    def after_truncate(self, size: int) -> None:
        """Unmaps the pages beyond the new end in all processes, and zeroes the rest of the last
        page, which a file that grows again must read as zero.
        """
        end = (size + PAGE_SIZE - 1) >> PAGE_SHIFT
        if self.users:
            self._unmap(self, end)
        for index in [index for index in self._pages if index >= end]:
            self._stored.discard(index)
            self._frames.release(self._pages.pop(index))
        last, keep = self._pages.get(end - 1), size & PAGE_MASK
        if last is not None and keep:
            self._frames.ram.write((last << PAGE_SHIFT) + keep, bytes(PAGE_SIZE - keep))


def mapped_file(backing: Backing | None) -> Inode | None:
    """The file of a mapping with this backing; None for anonymous memory."""
    return backing.inode if isinstance(backing, FilePages | SparseBytes) else None
