"""Leaf tables that hang in several processes' page tables (the fork policy ``shared-tables``).

A table's frame counts the processes, as any frame counts its holders. Who wants to change the table
makes it his own first: :meth:`SharedTables.own` copies it, and then each frame in it has one PTE
more.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from emu.machine.pte import PTES_PER_TABLE, VPN_BITS, V
from kernel.base.lazy_numpy import np
from kernel.mm.frames import Frames, Kind
from kernel.mm.leaf_tables import LEAF_SHIFT, LeafTables


@dataclass(slots=True)
class Shared:
    """What a leaf table that is shared holds: pages that are there, and those of private frames.

    All who share the table have the same object.
    """

    pages: int
    private: int


class SharedTables(LeafTables):
    """The leaf tables of a process, of which some may be others' too."""

    def __init__(self, frames: Frames, asid: int) -> None:
        super().__init__(frames, asid)
        self._shared: dict[int, Shared] = {}
        """The keys of the leaf tables that others may hold too, and that so stay as they are."""

    def _unlink(self, key: int) -> None:
        super()._unlink(key)
        self._shared.pop(key, None)

    def own(self, va: int) -> bool:
        """Makes the leaf table of ``va`` this process's own; whether it had to be copied for that.

        :class:`kernel.base.errors.OutOfMemory` when there is no frame for the copy.
        """
        key = va >> LEAF_SHIFT
        if key not in self._shared:
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
            self._frames.share_all(self._mapped(leaf))
        del self._shared[key]
        return copied

    def share_with(self, other: SharedTables, apart: Collection[int]) -> list[Shared]:
        """Hangs the leaf tables into ``other`` too, but for those with the keys ``apart``.

        No page in them may be writable that is not shared memory. What the tables hold is returned.
        """
        keys = [key for key in self._leaves if key not in apart]
        for key in keys:
            if key not in self._shared:
                self._shared[key] = self._count(self._leaves[key])
        indices = sorted({key >> VPN_BITS for key in keys})
        middles = [other._next_table(other.root, index) for index in indices]
        for index, middle in zip(indices, middles, strict=True):
            self._share_middle(index, middle, [k for k in keys if k >> VPN_BITS == index])
        other._leaves.update((key, self._leaves[key]) for key in keys)
        other._shared.update((key, self._shared[key]) for key in keys)
        return [self._shared[key] for key in keys]

    def _share_middle(self, index: int, middle: int, keys: list[int]) -> None:
        """Copies the pointers to the leaf tables ``keys`` to another's ``middle`` table."""
        own = self._frame_to_words(self._next_table(self.root, index))
        at = np.array(keys) & (PTES_PER_TABLE - 1)
        pointers = self._frames.words[own + at]
        self._frames.share_all(pointers)
        self._frames.words[self._frame_to_words(middle) + at] = pointers

    def _count(self, leaf: int) -> Shared:
        mapped = self._mapped(leaf)
        return Shared(len(mapped), int(np.count_nonzero(self._frames.private(mapped))))

    def droppable(self, start: int, end: int) -> list[int]:
        """The keys of the shared tables that go as a whole when [start, end) goes.

        Those are without pages outside the range. One with such pages is copied, or
        :class:`kernel.base.errors.OutOfMemory` and nothing is mapped otherwise than before.
        """
        gone: list[int] = []
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
                gone.append(key)
        return gone

    def drop(self, keys: list[int]) -> None:
        """Leaves the shared tables to the others; the TLB may remember their pages."""
        for key in keys:
            frame = self._words_to_frame(self._leaves[key])
            self._unlink(key)
            self._frames.release(frame)

    def recount_shared(self, start: int, end: int) -> None:
        """The pages of [start, end) changed for all who share the tables."""
        for key in self.keys(start, end) if self._shared else ():
            if key in self._shared:
                shared, now = self._shared[key], self._count(self._leaves[key])
                shared.pages, shared.private = now.pages, now.private

    def unshared_keys(self, start: int, end: int) -> list[int]:
        """Those of :meth:`keys` that no other process can hold."""
        return [key for key in self.keys(start, end) if key not in self._shared]

    def own_all(self, start: int, end: int) -> None:
        """Makes the leaf tables of [start, end) this process's own."""
        for key in self.keys(start, end) if self._shared else ():
            self.own(key << LEAF_SHIFT)
