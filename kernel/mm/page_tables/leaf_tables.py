"""The tables of one Sv39 page table: the root, the middle ones, and an index of the leaf tables.

The tables in RAM are authoritative: the MMU walks them. The kernel also keeps an index of the leaf
tables, so that it finds a PTE without a walk, and a range one table at a time. The key of a leaf
table is ``va >> LEAF_SHIFT`` of the addresses that it maps.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from emu.machine.pte import (
    HUGE_SHIFT,
    HUGE_SIZE,
    PAGE_SHIFT,
    PTES_PER_TABLE,
    V,
    make_pte,
    make_satp,
    ppn,
    vpn,
)
from kernel.base.errors import OutOfMemory
from kernel.base.lazy_numpy import Ptes
from kernel.mm.physical.frames import Frames, Kind

LEAF_SHIFT: Final = HUGE_SHIFT
"""A leaf table maps 2 MiB: addresses with equal bits from this one up share a table."""
LEAF_SPAN: Final = HUGE_SIZE


def keys_within(index: Collection[int], start: int, end: int) -> list[int]:
    """The keys of ``index`` that stand for addresses in [start, end), in ascending order."""
    first, last = start >> LEAF_SHIFT, (end - 1) >> LEAF_SHIFT
    if last - first > len(index):
        return sorted(key for key in index if first <= key <= last)
    return [key for key in range(first, last + 1) if key in index]


class LeafTables:
    """Finds, allocates and links the tables of one page table."""

    def __init__(self, frames: Frames, asid: int) -> None:
        self._frames = frames
        self._ram = frames.ram
        self.root = frames.allocate_zeroed(Kind.TABLE)
        self.satp = make_satp(self.root, asid)
        self._upper: list[int] = [self.root]
        self._leaves: dict[int, int] = {}
        """va >> LEAF_SHIFT → index of the leaf table's first word in RAM."""

    def pte(self, va: int) -> int:
        """The leaf PTE of ``va``'s page; 0 when there is none."""
        leaf = self._leaves.get(va >> LEAF_SHIFT)
        if leaf is None:
            return 0
        return self._ram.typed_words[leaf + (va >> PAGE_SHIFT & 511)]

    def pte_address(self, va: int) -> int | None:
        """The physical address of ``va``'s leaf PTE, None when it has no leaf table."""
        leaf = self._leaves.get(va >> LEAF_SHIFT)
        if leaf is None:
            return None
        return self._ram.base + 8 * (leaf + vpn(va, 0))

    def _link(self, key: int, leaf: int) -> None:
        """Links the leaf table at word ``leaf`` to its middle table, allocated if missing."""
        va = key << LEAF_SHIFT
        try:
            middle = self._middle(va)
        except OutOfMemory:
            self._frames.release(self._words_to_frame(leaf))
            raise
        pointer = make_pte(self._words_to_frame(leaf), V)
        self._ram.store64((middle << PAGE_SHIFT) + 8 * vpn(va, 1), pointer)
        self._leaves[key] = leaf

    def _unlink(self, key: int) -> None:
        va = key << LEAF_SHIFT
        middle = self._middle(va)
        self._ram.store64((middle << PAGE_SHIFT) + 8 * vpn(va, 1), 0)
        del self._leaves[key]

    def _mapped(self, leaf: int) -> Ptes:
        """The PTEs that map a page in the leaf table at word ``leaf``; a copy."""
        table = self._frames.words[leaf : leaf + PTES_PER_TABLE]
        mapped: Ptes = table[(table & V) != 0]
        return mapped

    @staticmethod
    def _within(key: int, start: int, end: int) -> tuple[int, int]:
        """Entries [first, last) of a leaf table that map addresses in [start, end)."""
        begin = key << LEAF_SHIFT
        return max(start - begin, 0) >> PAGE_SHIFT, min(end - begin, LEAF_SPAN) >> PAGE_SHIFT

    def _words_to_frame(self, leaf: int) -> int:
        return (self._ram.base + 8 * leaf) >> PAGE_SHIFT

    def _frame_to_words(self, frame: int) -> int:
        return ((frame << PAGE_SHIFT) - self._ram.base) >> 3

    def _middle(self, va: int) -> int:
        """The PPN of the middle table of ``va``, which may be changed; allocated if missing."""
        return self._next_table(self.root, vpn(va, 2))

    def _next_table(self, table: int, index: int) -> int:
        address = (table << PAGE_SHIFT) + 8 * index
        entry = self._ram.load64(address)
        if entry & V:
            return ppn(entry)
        frame = self._frames.allocate_zeroed(Kind.TABLE)
        self._upper.append(frame)
        self._ram.store64(address, make_pte(frame, V))
        return frame

    def keys(self, start: int, end: int) -> list[int]:
        """Keys of the existing leaf tables of [start, end), in ascending order."""
        return keys_within(self._leaves, start, end)

    def leaf_tables(self) -> dict[int, int]:
        """The leaf tables: va of the first page → PPN."""
        return {key << LEAF_SHIFT: self._words_to_frame(leaf) for key, leaf in self._leaves.items()}

    def frames(self) -> set[int]:
        """The PPNs of the tables of all levels."""
        return {*self._upper, *self.leaf_tables().values()}

    @property
    def table_count(self) -> int:
        """Frames taken by the tables of all levels."""
        return len(self._upper) + len(self._leaves)
