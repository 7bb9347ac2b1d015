"""The Sv39 page table of one process: access to single PTEs, and to short and long ranges.

:mod:`kernel.mm.page_tables.leaf_tables` allocates and links the tables;
:mod:`kernel.mm.page_tables.huge_tables` adds huge pages;
:mod:`kernel.mm.page_tables.shared_leaf_tables` shares them between processes, and
:mod:`kernel.mm.page_tables.shared_middle_tables` the middle ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import compress
from typing import Final

from emu.machine.pte import (
    HUGE_FRAMES,
    PAGE_SHIFT,
    PAGE_SIZE,
    PPN_MASK,
    PPN_SHIFT,
    PTES_PER_TABLE,
    RSW0,
    RSW1,
    VA_HALF,
    VPN_BITS,
    V,
)
from kernel.base.lazy_numpy import Ptes, np
from kernel.mm.page_tables.leaf_tables import LEAF_SHIFT
from kernel.mm.page_tables.shared_leaf_tables import SharedTables
from kernel.mm.physical import numpy_threshold, pte_loops
from kernel.mm.physical.frames import Kind
from kernel.mm.physical.numpy_threshold import without_numpy

COW: Final = RSW0
"""Copy-on-write: set in the PTE of a private page of a writable VMA whose W is clear because its
frame may be shared. The next store copies the frame, or reuses it with the last reference."""
CLEAN: Final = RSW1
"""Not stored to since a write to clear_refs, which cleared W. A page with D and without this bit is
soft-dirty."""


@dataclass(frozen=True, slots=True)
class Part:
    """A copy of entries ``first`` to ``last`` of some leaf tables, one row per table."""

    keys: list[int]
    first: int
    last: int
    ptes: Ptes


_TABLES_AT_ONCE: Final = 64
"""Tables per NumPy operation: 256 KiB, which fit in the processor's cache."""


class PageTable(SharedTables):
    """Maps pages to PTEs."""

    def set_pte(self, va: int, pte: int) -> None:
        """Writes the leaf PTE of ``va``'s page; allocates missing tables."""
        index = self.leaf(va) + (va >> PAGE_SHIFT & 511)
        self._ram.typed_words[index] = pte

    def fill(self, ptes: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Writes (va, PTE) pairs of one leaf table, which is the space's own, where none is
        present. Returns those written.
        """
        words = self._ram.typed_words
        written = []
        for va, pte in ptes:
            index = self._leaves[va >> LEAF_SHIFT] + (va >> PAGE_SHIFT & 511)
            if not words[index] & V:
                words[index] = pte
                written.append((va, pte))
        return written

    def leaf(self, va: int) -> int:
        """Returns the index in RAM's words of a writable leaf table for ``va``.

        The table is allocated when missing and copied when shared; a huge page is split. On
        :class:`kernel.base.errors.OutOfMemory` a new middle table stays linked.
        """
        key = va >> LEAF_SHIFT
        if self._shared:
            self.own(va)
        leaf = self._leaves.get(key)
        if leaf is None:
            if key in self.huge:
                self.split(va)
                return self._leaves[key]
            leaf = self._frame_to_words(self._frames.allocate_zeroed(Kind.TABLE))
            self._link(key, leaf)
        return leaf

    def add_flags(self, va: int, flags: int) -> None:
        """Sets A or D in the PTE that maps ``va``, of either size."""
        place = self.huge.get(va >> LEAF_SHIFT)
        if place is None:
            self.set_pte(va, self.pte(va) | flags)
        else:
            self._ram.store64(place, self._ram.load64(place) | flags)

    def is_short(self, start: int, end: int) -> bool:
        """Returns whether [start, end) is handled page by page and not with NumPy."""
        if end - start <= numpy_threshold.FEW_PAGES << PAGE_SHIFT:
            return True
        return without_numpy(len(self.keys(start, end)))

    def pages(self, start: int, end: int) -> list[tuple[int, int]]:
        """(va, PTE) of every mapped page of [start, end), in ascending order."""
        found = self.small_pages(start, end)
        for huge, entry in self.huge_pages(start, end):
            first, expanded = self._expanded(huge, entry, start, end)
            vas = range(first, first + (len(expanded) << PAGE_SHIFT), PAGE_SIZE)
            found += zip(vas, expanded.tolist(), strict=True)
        return sorted(found) if self.huge else found

    def small_pages(self, start: int, end: int) -> list[tuple[int, int]]:
        """Those of :meth:`pages` that no huge page maps."""
        found: list[tuple[int, int]] = []
        for key in self.keys(start, end):
            leaf, (first, last) = self._leaves[key], self._within(key, start, end)
            ptes = self._ram.words[leaf + first : leaf + last].tolist()
            base = key << LEAF_SHIFT
            vas = range(base + (first << PAGE_SHIFT), base + (last << PAGE_SHIFT), PAGE_SIZE)
            present = zip(compress(vas, ptes), filter(None, ptes), strict=True)
            found += [(va, pte) for va, pte in present if pte & V]
        return found

    def clear(self, va: int) -> None:
        """Clears the leaf PTE of ``va``'s mapped page, for all users of the table."""
        index = self._leaves[va >> LEAF_SHIFT] + (va >> PAGE_SHIFT & 511)
        self._ram.typed_words[index] = 0

    def slices(self, start: int, end: int) -> Iterator[tuple[int, Ptes]]:
        """Yields (address of the first, PTEs) of [start, end), one leaf table at a time.

        The arrays are views: writing to them writes the tables, which must not be shared. Missing
        tables and huge pages are skipped.
        """
        for key in self.keys(start, end):
            first, last = self._within(key, start, end)
            begin = (key << LEAF_SHIFT) + (first << PAGE_SHIFT)
            yield begin, self.entries(begin, last - first)

    def contents(self, start: int, end: int) -> Iterator[tuple[int, Ptes]]:
        """Yields (address of the first, PTEs) of [start, end) for reading, huge pages included."""
        yield from self.slices(start, end)
        for va, pte in self.huge_pages(start, end):
            yield self._expanded(va, pte, start, end)

    def entries(self, va: int, count: int) -> Ptes:
        """A view of ``count`` PTEs from ``va`` on, all in one existing leaf table."""
        first = self._leaves[va >> LEAF_SHIFT] + (va >> PAGE_SHIFT & 511)
        return self._frames.words[first : first + count]

    def parts(self, start: int, end: int, keys: Iterable[int] | None = None) -> Iterator[Part]:
        """Yields copies of the PTEs of [start, end), many tables at a time, for :meth:`write`.

        Huge pages are skipped. ``keys`` restricts them to these leaf tables.
        """
        whole: list[int] = []
        for key in self.keys(start, end) if keys is None else keys:
            first, last = self._within(key, start, end)
            if last - first == PTES_PER_TABLE:
                whole.append(key)
            else:
                yield self._part([key], first, last)
        for at in range(0, len(whole), _TABLES_AT_ONCE):
            yield self._part(whole[at : at + _TABLES_AT_ONCE], 0, PTES_PER_TABLE)

    def _part(self, keys: list[int], first: int, last: int) -> Part:
        if len(keys) == 1:  # without an index array, in a tenth of the time
            return Part(keys, first, last, self._view(keys[0], first, last).copy())
        return Part(keys, first, last, self._frames.tables[self._rows(keys), first:last])

    def _view(self, key: int, first: int, last: int) -> Ptes:
        """Entries of one leaf table, as a row."""
        leaf = self._leaves[key]
        row: Ptes = self._frames.words[leaf + first : leaf + last][np.newaxis]
        return row

    def _rows(self, keys: list[int]) -> list[int]:
        return [self._leaves[key] // PTES_PER_TABLE for key in keys]

    def make_tables(self, part: Part) -> None:
        """Allocates the leaf tables that ``part`` needs."""
        for key in part.keys:
            self.leaf(key << LEAF_SHIFT)

    def write(self, part: Part) -> None:
        """Writes the PTEs of ``part``, also of another page table, at the same addresses."""
        if len(part.keys) == 1:
            self._view(part.keys[0], part.first, part.last)[:] = part.ptes
            return
        self._frames.tables[self._rows(part.keys), part.first : part.last] = part.ptes

    def present(self) -> list[tuple[int, int]]:
        """(va, PTE) of every mapped page, in ascending order."""
        return self.pages(0, VA_HALF)

    def present_count(self) -> int:
        """Number of mapped pages."""
        small = sum(len(self._mapped(leaf)) for leaf in self._leaves.values())
        return small + len(self.huge) * HUGE_FRAMES

    def resident_count(self) -> int:
        """Number of mapped pages, without those of the zero frame."""
        small = sum(self._resident_of(key) for key in self._leaves)
        return small + self.huge_resident * HUGE_FRAMES

    def _resident_of(self, key: int) -> int:
        shared = self._shared.get(key)
        return self._resident_in(self._leaves[key]) if shared is None else shared.resident

    def _resident_in(self, leaf: int) -> int:
        if pte_loops.in_loops(len(self._leaves)):
            pages, _, zeroes = self._frames.count_pages(leaf)
            return pages - zeroes
        mapped = self._mapped(leaf)
        zero = self._frames.zero
        return int(np.count_nonzero((mapped >> PPN_SHIFT) & PPN_MASK != zero))

    def _release_pages(self, leaves: list[int]) -> int:
        """Releases the frames that the leaf tables at these words map; returns their number."""
        if not leaves:
            return 0
        if pte_loops.in_loops(len(leaves)):
            return self._frames.release_pages(leaves)
        mapped = np.concatenate([self._mapped(leaf) for leaf in leaves])
        self._frames.release_all(mapped)
        return len(mapped)

    def share_pages(
        self, other: PageTable, key: int, start: int, end: int, mask: int, *, cow: bool
    ) -> tuple[int, int, int]:
        """Copies the PTEs of one leaf table in [start, end) to another page table, with the flags
        in ``mask``, and counts their frames; with ``cow`` after :meth:`take_w`.

        Returns the number of pages, of those in private frames, and of those that lost W.
        """
        first, last = self._within(key, start, end)
        source = self._leaves[key] + first
        if not pte_loops.maps_a_page(self._ram.typed_words, source, source + last - first):
            return 0, 0, 0
        target = other.leaf(key << LEAF_SHIFT) + first
        lost = self.take_w(key, start, end) if cow else 0
        pages, private = self._frames.share_pages(source, target, last - first, mask)
        return pages, private, lost

    def take_w(self, key: int, start: int, end: int) -> int:
        """Turns the writable pages of one leaf table in [start, end) into CoW pages; returns their
        number. The table must not be shared.
        """
        first, last = self._within(key, start, end)
        leaf = self._leaves[key]
        return pte_loops.take_w(self._ram.typed_words, leaf + first, leaf + last, COW)

    def destroy(self) -> int:
        """Releases every mapped frame and every table, except shared tables and their pages.

        Returns the number of pages that were mapped, without those of the zero frame.
        """
        own, tables, resident = [], [], 0
        for key, leaf in self._leaves.items():
            if self._middle_users(key >> VPN_BITS) > 1:
                resident += self._resident_of(key)
                continue
            table = self._words_to_frame(leaf)
            tables.append(table)
            if self._frames.count(table) == 1:
                own.append(leaf)
            else:
                resident += self._resident_of(key)
        zeros = self._frames.count(self._frames.zero)
        resident += self._release_pages(own)
        resident -= zeros - self._frames.count(self._frames.zero)
        resident += self._destroy_huge()
        for frame in tables:
            self._frames.release(frame)
        for frame in reversed(self._upper):
            self._frames.release(frame)
        self._leaves.clear()
        self._shared.clear()
        self.shared_middles.clear()
        self._upper.clear()
        return resident
