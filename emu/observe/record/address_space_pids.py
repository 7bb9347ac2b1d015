"""Address spaces of a run with the pid that records give for each; PTEs of a page in all of them.

With many processes, reading the PTE from each space takes longer than reporting it: then NumPy
walks all page tables at once.
"""

from __future__ import annotations

from array import array
from typing import NamedTuple

from emu.machine.pte import (
    PAGE_SHIFT,
    PPN_MASK,
    PPN_SHIFT,
    PTE_SIZE,
    PTES_PER_TABLE,
    R,
    V,
    W,
    X,
    vpn,
)
from kernel.base.lazy_numpy import Indices, Marks, Ptes, np
from kernel.mm.address_space import AddressSpace
from kernel.mm.page_tables.page_table import PageTable

_MANY = 24
"""Minimum number of spaces for NumPy; below it Python is as fast."""


class PageInAll(NamedTuple):
    """A page's PTE in each space, and its address; 0 where there is no leaf table.

    In a huge page, both have one address, and the PTE the frame of the page itself.
    """

    slots: Indices
    ptes: Ptes
    addresses: Indices


class AddressSpacePids(dict[AddressSpace, int]):
    """Maps each space to a pid. Its slot is its position in order of addition, until ``packed``
    changes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.packed = 0
        self._spaces: list[AddressSpace] = []
        self._slots: dict[AddressSpace, int] = {}
        self._roots = array("q")
        """Frames of the root tables; 0 for a space that was discarded."""
        self._plain = True
        """True when all page tables are the kernel's own."""

    def __setitem__(self, space: AddressSpace, pid: int) -> None:
        super().__setitem__(space, pid)
        if space not in self._slots:
            self._slots[space] = len(self._spaces)
            self._spaces.append(space)
            self._roots.append(space.table.root)
            self._plain = self._plain and type(space.table) is PageTable

    def discard(self, space: AddressSpace) -> None:
        if self.pop(space, None) is None:
            return
        self._roots[self._slots.pop(space)] = 0
        if len(self._spaces) > 2 * len(self) + _MANY:
            self._spaces = list(self)
            self._slots = {space: slot for slot, space in enumerate(self._spaces)}
            self._roots = array("q", [space.table.root for space in self._spaces])
            self.packed += 1

    @property
    def slots(self) -> int:
        return len(self._spaces)

    def at(self, slot: int) -> AddressSpace:
        return self._spaces[slot]

    def page_in_all(self, page: int) -> PageInAll | None:
        """Reads the page's PTEs; None if the spaces are few or a page table is not the kernel's."""
        if len(self) < _MANY or not self._plain:
            return None
        frames = self._spaces[-1].frames
        words, first = frames.words, frames.first
        roots = np.array(self._roots, np.int64)
        slots = np.flatnonzero(roots)
        tables, there = roots[slots] - first, np.ones(len(slots), np.bool_)
        pointers = words[tables * PTES_PER_TABLE + vpn(page, 2)]
        there &= (pointers & V) != 0
        middle = _below(pointers, there, first) * PTES_PER_TABLE + vpn(page, 1)
        pointers = words[middle]
        there &= (pointers & V) != 0
        huge = there & ((pointers & (R | W | X)) != 0)
        tables = _below(pointers, there & ~huge, first)
        at = np.where(huge, middle, tables * PTES_PER_TABLE + vpn(page, 0))
        ptes = np.where(there, words[at] + (huge * np.uint64(vpn(page, 0) << PPN_SHIFT)), 0)
        return PageInAll(slots, ptes, np.where(there, (first << PAGE_SHIFT) + PTE_SIZE * at, 0))


def _below(pointers: Ptes, there: Marks, first: int) -> Indices:
    frames = ((pointers >> PPN_SHIFT) & PPN_MASK).astype(np.int64)
    below: Indices = np.where(there, frames - first, 0)
    return below
