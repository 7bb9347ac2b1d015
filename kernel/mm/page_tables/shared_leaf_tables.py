"""Leaf tables that several page tables share (the fork policy ``shared-tables``).

The reference count of a table's frame is the number of processes that share it. Before a process
changes a table, :meth:`SharedTables.own` copies it and adds a reference to each frame mapped in it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from emu.machine.pte import PTES_PER_TABLE, VPN_BITS, V
from kernel.base.lazy_numpy import np
from kernel.mm.page_tables.huge_tables import HugeTables
from kernel.mm.page_tables.leaf_tables import LEAF_SHIFT
from kernel.mm.physical import pte_loops
from kernel.mm.physical.frames import Frames, Kind


@dataclass(slots=True)
class Shared:
    """Number of pages mapped by a shared leaf table, and of those that are private.

    All users of the table share this object.
    """

    pages: int
    private: int


class SharedTables(HugeTables):
    """The leaf tables of a process, some of which may be shared."""

    def __init__(self, frames: Frames, asid: int) -> None:
        super().__init__(frames, asid)
        self._shared: dict[int, Shared] = {}
        """Keys of the leaf tables that may be shared, and are therefore not changed in place."""

    def _unlink(self, key: int) -> None:
        super()._unlink(key)
        self._shared.pop(key, None)

    def own(self, va: int) -> bool:
        """Unshares the leaf table of ``va``; returns whether it had to be copied.

        Raises :class:`kernel.base.errors.OutOfMemory` when there is no frame for the copy.
        """
        key = va >> LEAF_SHIFT
        if not self._shared or key not in self._shared:
            return False
        leaf = self._leaves[key]
        frame = self._words_to_frame(leaf)
        copied = self._frames.count(frame) > 1
        if copied:
            copy = self._frames.allocate(Kind.TABLE)
            self._frames.ram.copy_frame(frame, copy)
            leaf = self._frame_to_words(copy)
            self._link(key, leaf)
            self._frames.release(frame)
            self._count_users(leaf)
        del self._shared[key]
        return copied

    def _count_users(self, leaf: int) -> None:
        """Adds a reference to each frame that a copy of a leaf table maps."""
        if pte_loops.in_loops(1):
            self._frames.share_pages(leaf, leaf, PTES_PER_TABLE)
        else:
            self._frames.share_all(self._mapped(leaf))

    def share_with(self, other: SharedTables, apart: Collection[int]) -> list[Shared]:
        """Links the leaf tables to ``other`` too, except those with the keys ``apart``.

        Only pages of shared memory may be writable in them. Returns the counts of the tables.
        """
        keys = [key for key in self._leaves if key not in apart]
        for key in keys:
            if key not in self._shared:
                self._shared[key] = self._count(self._leaves[key])
        indices = sorted({key >> VPN_BITS for key in keys})
        middles = [other._next_table(other.root, index) for index in indices]
        for index, middle in zip(indices, middles, strict=True):
            self._share_middle(index, middle, [k for k in keys if k >> VPN_BITS == index])
        other._leaves.update({key: self._leaves[key] for key in keys})
        other._shared.update({key: self._shared[key] for key in keys})
        return [self._shared[key] for key in keys]

    def _share_middle(self, index: int, middle: int, keys: list[int]) -> None:
        """Copies the pointers to the leaf tables ``keys`` to another space's ``middle`` table."""
        own = self._frame_to_words(self._next_table(self.root, index))
        at = np.array(keys) & (PTES_PER_TABLE - 1)
        pointers = self._frames.words[own + at]
        self._frames.share_all(pointers)
        self._frames.words[self._frame_to_words(middle) + at] = pointers

    def _count(self, leaf: int) -> Shared:
        if pte_loops.in_loops(1):
            pages, private, _ = self._frames.count_pages(leaf)
            return Shared(pages, private)
        mapped = self._mapped(leaf)
        return Shared(len(mapped), int(np.count_nonzero(self._frames.private(mapped))))

    def droppable(self, start: int, end: int) -> list[int]:
        """Returns the keys of the shared tables without pages outside [start, end).

        A shared table with pages outside is copied. On :class:`kernel.base.errors.OutOfMemory` the
        mappings are unchanged.
        """
        unshared: list[int] = []
        for key in self.keys(start, end) if self._shared else ():
            if key not in self._shared:
                continue
            leaf = self._leaves[key]
            table = self._frames.words[leaf : leaf + PTES_PER_TABLE] & np.uint64(V)
            first, last = self._within(key, start, end)
            alone = self._frames.count(self._words_to_frame(leaf)) == 1
            if table[:first].any() or table[last:].any() or alone:
                self.own(key << LEAF_SHIFT)
            else:
                unshared.append(key)
        return unshared

    def drop(self, keys: list[int]) -> None:
        """Unlinks shared tables, which other processes keep; the TLB may hold their pages."""
        for key in keys:
            frame = self._words_to_frame(self._leaves[key])
            self._unlink(key)
            self._frames.release(frame)

    def recount_shared(self, start: int, end: int) -> None:
        """Updates the counts of the shared tables after a change of the pages of [start, end)."""
        for key in self.keys(start, end) if self._shared else ():
            if key in self._shared:
                shared, now = self._shared[key], self._count(self._leaves[key])
                shared.pages, shared.private = now.pages, now.private

    def unshared_keys(self, start: int, end: int) -> list[int]:
        """Those of :meth:`keys` that are not shared."""
        return [key for key in self.keys(start, end) if key not in self._shared]

    def own_all(self, start: int, end: int) -> None:
        """Unshares the leaf tables of [start, end)."""
        for key in self.keys(start, end) if self._shared else ():
            self.own(key << LEAF_SHIFT)
