"""Huge pages of a page table: leaves of the middle tables, each of which maps 2 MiB.

A huge page and a leaf table exclude each other. For each huge page an empty leaf table is kept
(Linux: the deposited page table), so that a split needs no frame and cannot fail.

The rest of the kernel sees a huge page as 512 PTEs, each with the number of its own frame.
"""

from __future__ import annotations

from typing import Final

from emu.machine.pte import (
    FLAGS,
    HUGE_FRAMES,
    HUGE_SIZE,
    PAGE_SHIFT,
    PAGE_SIZE,
    PPN_SHIFT,
    PTES_PER_TABLE,
    VA_HALF,
    make_pte,
    ppn,
    vpn,
)
from kernel.base.lazy_numpy import Ptes, np
from kernel.mm.page_tables.leaf_tables import LEAF_SHIFT, LeafTables, keys_within
from kernel.mm.physical.frames import Frames, Kind

_EMPTY: Final = bytes(PAGE_SIZE)


class HugeTables(LeafTables):
    """Adds the huge pages. Their addresses are multiples of 2 MiB, their PTEs those in RAM."""

    def __init__(self, frames: Frames, asid: int) -> None:
        super().__init__(frames, asid)
        self.huge: dict[int, int] = {}
        """va >> LEAF_SHIFT → physical address of the huge page's PTE."""
        self._deposits: dict[int, int] = {}
        """va >> LEAF_SHIFT → index in RAM's words of the leaf table for a split."""

    # Looking up.

    def is_huge(self, va: int) -> bool:
        """Returns whether a huge page maps ``va``."""
        return va >> LEAF_SHIFT in self.huge

    def huge_pages(self, start: int, end: int) -> list[tuple[int, int]]:
        """(va, PTE) of each huge page that overlaps [start, end), in ascending order."""
        if not self.huge:
            return []
        keys = keys_within(self.huge, start, end)
        return [(key << LEAF_SHIFT, self._ram.load64(self.huge[key])) for key in keys]

    def resident_huge(self, start: int, end: int) -> list[tuple[int, int]]:
        """Those of :meth:`huge_pages` that count as resident: neither of zeroes nor of the pool."""
        frames, pages = self._frames, self.huge_pages(start, end)
        return [(va, pte) for va, pte in pages if frames.kind(ppn(pte)) is Kind.PRIVATE]

    def deposits(self) -> set[int]:
        """The PPNs of the empty leaf tables that are kept for splits."""
        return {self._words_to_frame(leaf) for leaf in self._deposits.values()}

    def pte(self, va: int) -> int:
        leaf = self._leaves.get(va >> LEAF_SHIFT)
        if leaf is not None:
            index = leaf
            return self._ram.typed_words[index + (va >> PAGE_SHIFT & 511)]
        place = self.huge.get(va >> LEAF_SHIFT)
        return 0 if place is None else self._ram.load64(place) + (vpn(va, 0) << PPN_SHIFT)

    def pte_address(self, va: int) -> int | None:
        return self.huge.get(va >> LEAF_SHIFT) or LeafTables.pte_address(self, va)

    def _expanded(self, va: int, pte: int, start: int, end: int) -> tuple[int, Ptes]:
        """The part of a huge page in [start, end): its address, and a PTE for each page."""
        first, last = self._within(va >> LEAF_SHIFT, start, end)
        numbers = np.arange(first, last, dtype=np.uint64)
        return va + (first << PAGE_SHIFT), np.uint64(pte) + (numbers << np.uint64(PPN_SHIFT))

    # Changing.

    def may_be_huge(self, va: int) -> bool:
        """Returns whether nothing is mapped in the 2 MiB at ``va``; a leaf table may be there."""
        key = va >> LEAF_SHIFT
        if key in self.huge:
            return False
        leaf = self._leaves.get(key)
        return leaf is None or self._ram.words[leaf : leaf + PTES_PER_TABLE].tobytes() == _EMPTY

    def prepare_huge(self, va: int) -> None:
        """Makes room for a huge page: allocates the middle table and a leaf table for a split; an
        empty leaf table that is there becomes the latter. Raises OutOfMemory.
        """
        key = va >> LEAF_SHIFT
        self.make_middle(va)
        leaf = self._take_leaf(key)
        if leaf is None:
            leaf = self._frame_to_words(self._frames.allocate_zeroed(Kind.TABLE))
        self._deposits[key] = leaf

    def _take_leaf(self, key: int) -> int | None:
        """Unlinks an empty leaf table; returns it unless there is none, or others share it."""
        leaf = self._leaves.get(key)
        if leaf is None:
            return None
        self._unlink(key)
        frame = self._words_to_frame(leaf)
        if self._frames.count(frame) == 1:
            return leaf
        self._frames.release(frame)
        return None

    def make_middle(self, va: int) -> None:
        """Makes sure that ``va`` has a middle table, which is not shared. Raises OutOfMemory."""
        self._middle(va)

    def cancel_huge(self, va: int) -> None:
        """Undoes :meth:`prepare_huge`; a new middle table remains."""
        self._release_deposit(va >> LEAF_SHIFT)

    def link_huge(self, va: int, pte: int) -> None:
        """Maps a huge page where nothing is mapped, in place of an empty leaf table if one is
        there; the caller counted the frames' references.
        """
        if (leaf := self._take_leaf(va >> LEAF_SHIFT)) is not None:
            self._frames.release(self._words_to_frame(leaf))
        middle = self._middle(va)
        place = (middle << PAGE_SHIFT) + 8 * vpn(va, 1)
        self._ram.store64(place, pte)
        self.huge[va >> LEAF_SHIFT] = place

    def set_huge(self, va: int, pte: int) -> None:
        """Replaces the PTE of the huge page that maps ``va``."""
        self._ram.store64(self.huge[va >> LEAF_SHIFT], pte)

    def unlink_huge(self, va: int) -> None:
        """Removes the huge page that maps ``va``; its frames keep their references."""
        key = va >> LEAF_SHIFT
        self._ram.store64(self.huge.pop(key), 0)
        self._release_deposit(key)

    def _release_deposit(self, key: int) -> None:
        leaf = self._deposits.pop(key, None)
        if leaf is not None:
            self._frames.release(self._words_to_frame(leaf))

    def move_huge(self, va: int, to: int) -> None:
        """Moves the huge page at ``va`` to another multiple of 2 MiB, whose middle table exists."""
        pte = self._ram.load64(self.huge[va >> LEAF_SHIFT])
        deposit = self._deposits.pop(va >> LEAF_SHIFT, None)
        self.unlink_huge(va)
        self.link_huge(to, pte)
        if deposit is not None:
            self._deposits[to >> LEAF_SHIFT] = deposit

    def split(self, va: int) -> None:
        """Replaces the huge page that maps ``va`` by 512 pages with the same frames and flags.

        The pages of the huge zero page become those of the zero frame.
        """
        key = va >> LEAF_SHIFT
        pte = self._ram.load64(self.huge[key])
        leaf = self._deposits.pop(key, None)
        if leaf is None:
            leaf = self._frame_to_words(self._frames.allocate(Kind.TABLE))
        frames = self._frames
        frames.huge_events.split += 1
        table = frames.words[leaf : leaf + PTES_PER_TABLE]
        if ppn(pte) == frames.huge_zero:
            table[:] = make_pte(frames.zero, pte & FLAGS)
            frames.share_each([frames.zero] * HUGE_FRAMES)
            frames.release_run(ppn(pte))
        else:
            table[:] = self._expanded(key << LEAF_SHIFT, pte, 0, VA_HALF)[1]
        del self.huge[key]
        self._link(key, leaf)

    def split_edges(self, start: int, end: int) -> list[int]:
        """Splits the huge pages of which [start, end) contains only a part; returns those."""
        huge = self.huge_pages(start, end) if self.huge else []
        parts = [va for va, _ in huge if va < start or end < va + HUGE_SIZE]
        for va in parts:
            self.split(va)
        return parts

    def split_all(self, start: int, end: int) -> None:
        """Splits the huge pages that overlap [start, end)."""
        for va, _ in self.huge_pages(start, end):
            self.split(va)

    # Counting.

    @property
    def huge_resident(self) -> int:
        """Number of huge pages that count as resident."""
        return len(self.resident_huge(0, VA_HALF))

    @property
    def table_count(self) -> int:
        return super().table_count + len(self._deposits)

    def _destroy_huge(self) -> int:
        """Releases all huge pages; returns the number of their pages, without zeroes."""
        resident = self.huge_resident * HUGE_FRAMES
        for va, pte in self.huge_pages(0, VA_HALF):
            self.unlink_huge(va)
            self._frames.release_run(ppn(pte))
        return resident
