"""One process's Sv39 page table: three levels of real tables in the machine's memory.

The tables in RAM are what counts; the MMU walks them. Beside them the kernel keeps an index of the
leaf tables, so that it finds a PTE without a walk and goes through a range a table at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from emu.machine.pte import (
    PAGE_SHIFT,
    PTES_PER_TABLE,
    RSW0,
    V,
    make_pte,
    make_satp,
    ppn,
    vpn,
)
from kernel.frames import Frames, Kind, Ptes

COW = RSW0
"""Set on a page that is private and writable by right, but whose W is clear because its frame may
have other users: the next store copies the frame or takes it over."""

LEAF_SHIFT = 21
"""A leaf table maps 2 MiB: addresses that agree above this bit share one."""
_LEAF_SPAN = 1 << LEAF_SHIFT


class PageTable:
    """Maps pages to PTEs. ``writes`` counts the PTEs written, one by one or in bulk."""

    def __init__(self, frames: Frames, asid: int) -> None:
        self._frames = frames
        self._ram = frames.ram
        self._words = np.frombuffer(frames.ram.bytes, dtype=np.uint64)
        self.root = frames.allocate_zeroed(Kind.TABLE)
        self.satp = make_satp(self.root, asid)
        self.writes = 0
        self._upper: list[int] = [self.root]
        self._leaves: dict[int, int] = {}
        """va >> LEAF_SHIFT → index of the leaf table's first word in RAM."""

    def pte(self, va: int) -> int:
        """The leaf PTE of ``va``'s page; 0 when there is none."""
        leaf = self._leaves.get(va >> LEAF_SHIFT)
        if leaf is None:
            return 0
        return self._ram.words[leaf + (va >> PAGE_SHIFT & 511)]

    def set_pte(self, va: int, pte: int) -> None:
        """Writes the leaf PTE of ``va``'s page, with new tables where they are missing."""
        index = self.leaf(va) + (va >> PAGE_SHIFT & 511)
        self._ram.words[index] = pte
        self.writes += 1

    def pte_address(self, va: int) -> int | None:
        """The physical address of ``va``'s leaf PTE, None when it has no leaf table."""
        leaf = self._leaves.get(va >> LEAF_SHIFT)
        if leaf is None:
            return None
        return self._ram.base + 8 * (leaf + vpn(va, 0))

    def leaf(self, va: int) -> int:
        """The index in RAM's words of the leaf table for ``va``; made when it is missing.

        :class:`kernel.errors.OutOfMemory` when a table can't be allocated; what was linked before
        stays, and is freed with the rest.
        """
        key = va >> LEAF_SHIFT
        leaf = self._leaves.get(key)
        if leaf is None:
            middle = self._next_table(self.root, vpn(va, 2))
            leaf = self._new_table(middle, vpn(va, 1))
            self._leaves[key] = leaf
        return leaf

    def _next_table(self, table: int, index: int) -> int:
        address = (table << PAGE_SHIFT) + 8 * index
        entry = self._ram.load64(address)
        if entry & V:
            return ppn(entry)
        frame = self._frames.allocate_zeroed(Kind.TABLE)
        self._upper.append(frame)
        self._ram.store64(address, make_pte(frame, V))
        return frame

    def _new_table(self, table: int, index: int) -> int:
        frame = self._frames.allocate_zeroed(Kind.TABLE)
        self._ram.store64((table << PAGE_SHIFT) + 8 * index, make_pte(frame, V))
        return ((frame << PAGE_SHIFT) - self._ram.base) >> 3

    def slices(self, start: int, end: int) -> Iterator[tuple[int, Ptes]]:
        """The PTEs of [start, end), a leaf table at a time: (address of the first, array).

        The arrays are views: writing to them writes the tables. Missing tables are passed over.
        """
        last = (end - 1) >> LEAF_SHIFT
        keys: Iterator[int] | list[int] = range(start >> LEAF_SHIFT, last + 1).__iter__()
        if last - (start >> LEAF_SHIFT) > len(self._leaves):
            keys = sorted(key for key in self._leaves if start >> LEAF_SHIFT <= key <= last)
        for key in keys:
            leaf = self._leaves.get(key)
            if leaf is None:
                continue
            begin = max(start, key << LEAF_SHIFT)
            stop = min(end, (key << LEAF_SHIFT) + _LEAF_SPAN)
            first = begin >> PAGE_SHIFT & 511
            count = (stop - begin) >> PAGE_SHIFT
            yield begin, self._words[leaf + first : leaf + first + count]

    def range_at(self, va: int, count: int) -> Ptes:
        """The ``count`` PTEs from ``va`` on, which lie in one leaf table; made if missing."""
        first = self.leaf(va) + vpn(va, 0)
        return self._words[first : first + count]

    def leaf_tables(self) -> dict[int, int]:
        """The leaf tables: va of the first page → PPN."""
        base = self._ram.base
        return {
            key << LEAF_SHIFT: (base + 8 * leaf) >> PAGE_SHIFT for key, leaf in self._leaves.items()
        }

    def frames(self) -> set[int]:
        """The PPNs of the tables of all levels."""
        return {*self._upper, *self.leaf_tables().values()}

    @property
    def table_count(self) -> int:
        """Frames taken by the tables of all levels."""
        return len(self._upper) + len(self._leaves)

    def present(self) -> Iterator[tuple[int, int]]:
        """(va, PTE) of every page that is mapped, in the order of addresses."""
        for key in sorted(self._leaves):
            leaf = self._leaves[key]
            table = self._words[leaf : leaf + PTES_PER_TABLE]
            for index in np.flatnonzero(table & V).tolist():
                yield (key << LEAF_SHIFT) + (index << PAGE_SHIFT), int(table[index])

    def present_count(self) -> int:
        """How many pages are mapped."""
        tables = (self._words[leaf : leaf + PTES_PER_TABLE] for leaf in self._leaves.values())
        return sum(int(np.count_nonzero(table & V)) for table in tables)

    def destroy(self) -> None:
        """Releases every mapped frame and every table."""
        for leaf in self._leaves.values():
            table = self._words[leaf : leaf + PTES_PER_TABLE]
            mapped = table[(table & V) != 0]
            if len(mapped):
                self._frames.release_all(mapped)
            self._frames.release((self._ram.base + 8 * leaf) >> PAGE_SHIFT)
        for frame in reversed(self._upper):
            self._frames.release(frame)
        self._leaves.clear()
        self._upper.clear()
