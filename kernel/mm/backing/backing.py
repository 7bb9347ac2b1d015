"""Backings of mappings: what gives the frames of their pages.

A backing pins its frames by one reference each, and gives the same frame to every process that maps
the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from kernel.mm.physical.frames import Frames


class Backing(Protocol):
    """The source of a mapping's pages. ``users`` is the number of Vmas that map it."""

    users: int
    in_memory: bool
    """True for shared memory and files in memory: pages without a place on a disk."""
    dirty: set[int]
    """Pages modified by write(2), or by removed mappings; of present ones it is in the PTEs."""

    def frame(self, index: int) -> int | None:
        """Returns the PPN of page ``index``; None beyond the end (SIGBUS)."""

    needs_write_notice: bool
    """True when ``stored_to`` must be called before the first store to a page that was read."""

    def cached(self, first: int, end: int) -> list[tuple[int, int]]:
        """(number, PPN) of the pages from ``first`` up to ``end`` that need no allocation by the
        caller, for fault-around.
        """

    in_huge_pages: bool
    """True for a mapping with MAP_HUGETLB, of class HugetlbMemory."""

    def resident(self, index: int) -> bool:
        """Returns whether the page is in memory (mincore(2))."""

    def stored_to(self, index: int) -> None:
        """Called before a process gets write permission for the page."""

    def write_back(self, first: int, last: int) -> None:
        """Writes modified pages first to last to their file (msync(2))."""

    def remove(self, first: int, last: int) -> None:
        """Zeroes pages first to last, and releases their memory where possible (MADV_REMOVE)."""

    def unmapped(self, space: object, first: int, end: int) -> None:
        """Called when a VMA of the space, of pages ``first`` to before ``end``, is removed."""

    def unused(self) -> None:
        """Called when the last Vma is removed."""

    def held(self) -> Mapping[int, int]:
        """PPNs of the pinned frames, by page number."""


class Unmap(Protocol):
    """Unmaps a backing's pages in every address space."""

    def __call__(self, backing: Backing, first: int, last: int | None = None, /) -> None:
        """From number ``first`` on, or pages ``first`` to before ``last`` except private copies."""


def unmap_nothing(backing: Backing, first: int, last: int | None = None) -> None:
    """For files that no address space maps."""


def held_between(pages: Mapping[int, int], first: int, end: int) -> list[tuple[int, int]]:
    """(number, PPN) of the pages from ``first`` up to ``end``."""
    return [(index, pages[index]) for index in range(first, end) if index in pages]


def empty_page(frames: Frames, pages: dict[int, int], index: int) -> None:
    """Releases a page that is not mapped; zeroes one that is."""
    if frames.count(pages[index]) == 1:
        frames.release(pages.pop(index))
    else:
        frames.ram.zero_frame(pages[index])
