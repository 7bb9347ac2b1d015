"""Middle tables that several page tables share (the fork policy ``shared-tables``).

A fork then costs one pointer of the root for 1 GiB. The reference count of a middle table's frame
is the number of page tables that share it, and a shared one has one reference to each of its leaf
tables. Before a process changes one, :meth:`SharedMiddleTables.own_middle` copies it.

A middle table with huge pages is not shared: each process keeps a table for the split of each.
"""

from __future__ import annotations

from typing import Final

from emu.machine.pte import PAGE_SHIFT, PTES_PER_TABLE, VPN_BITS, V, make_pte, ppn
from kernel.mm.page_tables.huge_tables import HugeTables
from kernel.mm.page_tables.leaf_tables import LEAF_SHIFT
from kernel.mm.physical.frames import Frames, Kind

MIDDLE_SHIFT: Final = LEAF_SHIFT + VPN_BITS
"""A middle table maps 1 GiB. Its number is that of its pointer in the root."""


class SharedMiddleTables(HugeTables):
    """The tables of a process, of which some middle ones may be shared."""

    def __init__(self, frames: Frames, asid: int) -> None:
        super().__init__(frames, asid)
        self.shared_middles: set[int] = set()
        """Numbers of the middle tables that may be shared, and are not changed in place."""

    def own_middle(self, va: int) -> bool:
        """Unshares the middle table of ``va``; returns whether it had to be copied.

        Raises :class:`kernel.base.errors.OutOfMemory` when there is no frame for the copy.
        """
        number = va >> MIDDLE_SHIFT
        if number not in self.shared_middles:
            return False
        middle = self._middle_frame(number)
        copied = self._frames.count(middle) > 1
        if copied:
            copy = self._frames.allocate(Kind.TABLE)
            self._ram.copy_frame(middle, copy)
            self._set_middle(number, copy)
            self._upper[self._upper.index(middle)] = copy
            self._frames.share_each(self._leaf_frames(copy))
            self._frames.release(middle)
        self.shared_middles.remove(number)
        return copied

    def _middle(self, va: int) -> int:
        if self.shared_middles:
            self.own_middle(va)
        return self._next_table(self.root, va >> MIDDLE_SHIFT)

    def _share_middle(self, number: int, other: SharedMiddleTables) -> None:
        """Links a middle table to ``other`` too, which has none of this number."""
        middle = self._middle_frame(number)
        self._frames.share(middle)
        other._set_middle(number, middle)
        other._upper.append(middle)
        self.shared_middles.add(number)
        other.shared_middles.add(number)

    def _middle_users(self, number: int) -> int:
        """Number of page tables that share a middle table."""
        if number not in self.shared_middles:
            return 1
        return self._frames.count(self._middle_frame(number))

    def _middle_frame(self, number: int) -> int:
        return ppn(self._ram.load64((self.root << PAGE_SHIFT) + 8 * number))

    def _set_middle(self, number: int, middle: int) -> None:
        self._ram.store64((self.root << PAGE_SHIFT) + 8 * number, make_pte(middle, V))

    def _leaf_frames(self, middle: int) -> list[int]:
        """The PPNs of the leaf tables of a middle table."""
        first = self._frame_to_words(middle)
        pointers = self._ram.words[first : first + PTES_PER_TABLE].tolist()
        return [ppn(pointer) for pointer in pointers if pointer & V]
