"""Leaf tables that several page tables share (the fork policy ``shared-tables``).

The reference count of a table's frame is the number of middle tables that lead to it, each of which
may be shared too. Before a process changes a table, :meth:`SharedTables.own` copies it and adds a
reference to each frame mapped in it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from emu.machine.pte import PPN_MASK, PPN_SHIFT, PTES_PER_TABLE, VPN_BITS, V
from kernel.base.lazy_numpy import np
from kernel.mm.page_tables.leaf_tables import LEAF_SHIFT
from kernel.mm.page_tables.shared_middle_tables import MIDDLE_SHIFT, SharedMiddleTables
from kernel.mm.physical import pte_loops
from kernel.mm.physical.frames import Frames, Kind


@dataclass(slots=True)
class Shared:
    """Number of pages mapped by a shared leaf table, of those that are private, and without zeroes.

    All users of the table share this object.
    """

    pages: int
    private: int
    resident: int


@dataclass(slots=True)
class Sharing:
    """Leaf and middle tables that a fork shared, the pages in them, and the pointers written."""

    tables: int = 0
    middles: int = 0
    pointers: int = 0
    pages: int = 0
    private: int = 0


class SharedTables(SharedMiddleTables):
    """The leaf tables of a process, some of which may be shared."""

    def __init__(self, frames: Frames, asid: int) -> None:
        super().__init__(frames, asid)
        self._shared: dict[int, Shared] = {}
        """Keys of the leaf tables that may be shared, and are therefore not changed in place."""

    def _unlink(self, key: int) -> None:
        super()._unlink(key)
        self._shared.pop(key, None)

    def own(self, va: int) -> bool:
        """Unshares the leaf table of ``va``, and its middle table; returns whether the former had
        to be copied.

        Raises :class:`kernel.base.errors.OutOfMemory` when there is no frame for the copy.
        """
        key = va >> LEAF_SHIFT
        if not self._shared or key not in self._shared:
            return False
        self.own_middle(va)
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

    def share_with(self, other: SharedTables, apart: Collection[int], middles: bool) -> Sharing:
        """Links the leaf tables to ``other`` too, except those with the keys ``apart``; with
        ``middles``, where it can, a middle table with all of its leaf tables.

        Only pages of shared memory may be writable in them.
        """
        keys = [key for key in self._leaves if key not in apart]
        sharing = Sharing(tables=len(keys))
        found: set[int] = set()
        last = -1
        for key in keys:
            if key >> VPN_BITS != last:
                last = key >> VPN_BITS
                found.add(last)
            shared = self._shared.get(key)
            if shared is None:
                shared = self._shared[key] = self._count(self._leaves[key])
            sharing.pages += shared.pages
            sharing.private += shared.private
        mixed = {key >> VPN_BITS for key in (*apart, *self.huge)} if middles else found
        parted = [key for key in keys if key >> VPN_BITS in mixed] if mixed else []
        numbers = sorted({key >> VPN_BITS for key in parted})
        targets = [other._middle(number << MIDDLE_SHIFT) for number in numbers]
        for number, middle in zip(numbers, targets, strict=True):
            of_number = [key for key in parted if key >> VPN_BITS == number]
            self._share_leaves(number, middle, of_number)
        sharing.pointers = len(parted)
        for number in sorted(found - mixed):
            self._share_middle(number, other)
            sharing.middles += 1
            sharing.pointers += 1
        if not apart:  # without a loop
            other._leaves.update(self._leaves)
            other._shared.update(self._shared)
            return sharing
        for key in keys:
            other._leaves[key], other._shared[key] = self._leaves[key], self._shared[key]
        return sharing

    def _share_leaves(self, number: int, middle: int, keys: list[int]) -> None:
        """Copies the pointers to the leaf tables ``keys`` to another space's ``middle`` table."""
        words, source = self._ram.typed_words, self._frame_to_words(self._middle_frame(number))
        target = self._frame_to_words(middle)
        for key in keys:
            at = key & (PTES_PER_TABLE - 1)
            words[target + at] = words[source + at]
            self._frames.share(self._words_to_frame(self._leaves[key]))

    def _count(self, leaf: int) -> Shared:
        if pte_loops.in_loops(1):
            pages, private, zeroes = self._frames.count_pages(leaf)
            return Shared(pages, private, pages - zeroes)
        mapped = self._mapped(leaf)
        zeroes = int(np.count_nonzero((mapped >> PPN_SHIFT) & PPN_MASK == self._frames.zero))
        private = int(np.count_nonzero(self._frames.private(mapped)))
        return Shared(len(mapped), private, len(mapped) - zeroes)

    def droppable(self, start: int, end: int) -> list[int]:
        """Returns the keys of the shared tables without pages outside [start, end).

        A shared table with pages outside is copied. On :class:`kernel.base.errors.OutOfMemory` the
        mappings are unchanged.
        """
        unshared: list[int] = []
        for key in self.keys(start, end) if self._shared else ():
            if key not in self._shared:
                continue
            self.own_middle(key << LEAF_SHIFT)
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

    def may_be_shared(self, table: int, va: int) -> bool:
        """Returns whether a leaf or middle table at ``va`` is a leaf table or known as shared."""
        leaf = self._leaves.get(va >> LEAF_SHIFT)
        if leaf is not None and self._words_to_frame(leaf) == table:
            return True
        return va >> MIDDLE_SHIFT in self.shared_middles

    def leaf_users(self) -> list[int]:
        """Number of processes with each leaf table, in the order of :meth:`leaf_tables`; too small
        where a middle table that others share leads to it.
        """
        return [
            self._frames.count(frame) + self._middle_users(va >> MIDDLE_SHIFT) - 1
            for va, frame in self.leaf_tables().items()
        ]

    def recount_shared(self, start: int, end: int) -> None:
        """Updates the counts of the shared tables after a change of the pages of [start, end)."""
        for key in self.keys(start, end) if self._shared else ():
            if key in self._shared:
                shared, now = self._shared[key], self._count(self._leaves[key])
                shared.pages, shared.private = now.pages, now.private
                shared.resident = now.resident

    def unshared_keys(self, start: int, end: int) -> list[int]:
        """Those of :meth:`keys` that are not shared."""
        return [key for key in self.keys(start, end) if key not in self._shared]

    def own_all(self, start: int, end: int) -> None:
        """Unshares the leaf tables of [start, end)."""
        for key in self.keys(start, end) if self._shared else ():
            self.own(key << LEAF_SHIFT)
