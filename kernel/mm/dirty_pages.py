"""Modified pages of a backing that no PTE marks as dirty any more."""

from __future__ import annotations

from emu.machine.pte import D, V
from kernel.base.lazy_numpy import np
from kernel.mm.mappings.vma import Vma
from kernel.mm.page_tables.page_table import PageTable


def note_dirty_pages(table: PageTable, vma: Vma, start: int, end: int) -> None:
    """Adds the pages of [start, end), in a shared mapping, that have D to the backing's dirty ones.

    Called before the PTEs are cleared.
    """
    if vma.backing is None:
        return
    if table.is_short(start, end):
        for va, pte in table.pages(start, end):
            if pte & D:
                vma.backing.dirty.add(vma.index_of(va))
        return
    for va, ptes in table.slices(start, end):
        first = vma.index_of(va)
        dirty = np.flatnonzero((ptes & (V | D)) == (V | D))
        vma.backing.dirty.update((dirty + first).tolist())
