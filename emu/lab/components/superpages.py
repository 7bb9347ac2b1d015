"""A page table in which a PTE may map 2 MiB.

The kernel supports pages of 4 KiB. It sees a PTE for each page of a superpage, with the number of
its frame; a change of a single page splits the superpage first.
"""

from __future__ import annotations

from collections.abc import Iterator

from emu.lab.host.superpage_frames import SUPERPAGE_FRAMES
from emu.lab.kit.values import SUPERPAGE_SIZE
from emu.machine.pte import PAGE_SHIFT, PPN_SHIFT, PTES_PER_TABLE, VA_HALF, A, D, ppn, vpn
from kernel.base.lazy_numpy import Ptes, np
from kernel.mm.frames import Frames
from kernel.mm.page_tables.leaf_tables import LEAF_SHIFT
from kernel.mm.page_tables.page_table import PageTable


class SuperpageTable(PageTable):
    """Subclasses implement ``split``."""

    def __init__(self, frames: Frames, asid: int) -> None:
        super().__init__(frames, asid)
        self._supers: dict[int, int] = {}
        """va >> LEAF_SHIFT → physical address of the superpage's PTE."""

    def split(self, va: int) -> None:
        """Splits the superpage of ``va`` into 512 pages. Raises OutOfMemory."""
        raise NotImplementedError

    def superpages(self, start: int, end: int) -> list[tuple[int, int]]:
        """Returns (va, PTE) of each superpage that overlaps [start, end)."""
        if not self._supers:
            return []
        first, last = start >> LEAF_SHIFT, (end - 1) >> LEAF_SHIFT
        keys = sorted(key for key in self._supers if first <= key <= last)
        return [(key << LEAF_SHIFT, self._ram.load64(self._supers[key])) for key in keys]

    def is_superpage(self, va: int) -> bool:
        return va >> LEAF_SHIFT in self._supers

    def is_free(self, va: int) -> bool:
        """Returns True if there is neither a superpage nor a leaf table for ``va``."""
        return not self.is_superpage(va) and va >> LEAF_SHIFT not in self._leaves

    def split_all(self, start: int, end: int) -> None:
        """Splits every superpage that overlaps [start, end)."""
        for va, _ in self.superpages(start, end):
            self.split(va)

    def link_superpage(self, va: int, pte: int) -> None:
        """Maps a superpage. The caller has counted the references to its frames."""
        middle = self._next_table(self.root, vpn(va, 2))
        place = (middle << PAGE_SHIFT) + 8 * vpn(va, 1)
        self._ram.store64(place, pte)
        self._supers[va >> LEAF_SHIFT] = place

    def rewrite_superpage(self, va: int, pte: int) -> None:
        """Replaces the PTE of a superpage."""
        self._ram.store64(self._supers[va >> LEAF_SHIFT], pte)

    def drop_superpages(self, start: int, end: int) -> bool:
        """Unmaps the superpages within [start, end). Returns True if there were any."""
        whole = [
            (va, pte)
            for va, pte in self.superpages(start, end)
            if start <= va and va + SUPERPAGE_SIZE <= end
        ]
        for va, pte in whole:
            self.rewrite_superpage(va, 0)
            del self._supers[va >> LEAF_SHIFT]
            self._frames.release_each(range(ppn(pte), ppn(pte) + SUPERPAGE_FRAMES))
        return bool(whole)

    # Overridden methods: what the kernel sees.

    def pte(self, va: int) -> int:
        place = self._supers.get(va >> LEAF_SHIFT)
        if place is None:
            return super().pte(va)
        return self._ram.load64(place) + (vpn(va, 0) << PPN_SHIFT)

    def pte_address(self, va: int) -> int | None:
        return self._supers.get(va >> LEAF_SHIFT) or super().pte_address(va)

    def set_pte(self, va: int, pte: int) -> None:
        place = self._supers.get(va >> LEAF_SHIFT)
        if place is not None and not (self.pte(va) ^ pte) & ~(A | D):
            self._ram.store64(place, self._ram.load64(place) | pte & (A | D))
        else:
            super().set_pte(va, pte)

    def leaf(self, va: int) -> int:
        if self.is_superpage(va):
            self.split(va)
        return super().leaf(va)

    def own_all(self, start: int, end: int) -> None:
        self.split_all(start, end)
        super().own_all(start, end)

    def droppable(self, start: int, end: int) -> list[int]:
        for va, _ in self.superpages(start, end):
            if va < start or end < va + SUPERPAGE_SIZE:
                self.split(va)
        return super().droppable(start, end)

    def pages(self, start: int, end: int) -> list[tuple[int, int]]:
        found = super().pages(start, end)
        for va, pte in self.superpages(start, end):
            for number in range(PTES_PER_TABLE):
                page = va + (number << PAGE_SHIFT)
                if start <= page < end:
                    found.append((page, pte + (number << PPN_SHIFT)))
        return sorted(found) if self._supers else found

    def slices(self, start: int, end: int) -> Iterator[tuple[int, Ptes]]:
        """Yields arrays of PTEs; those of a superpage are read-only copies."""
        yield from super().slices(start, end)
        for va, pte in self.superpages(start, end):
            first, last = self._within(va >> LEAF_SHIFT, start, end)
            ptes = pte + (np.arange(first, last, dtype=np.uint64) << np.uint64(PPN_SHIFT))
            ptes.flags.writeable = False
            yield va + (first << PAGE_SHIFT), ptes

    def resident_count(self) -> int:
        return super().resident_count() + len(self._supers) * SUPERPAGE_FRAMES

    def present_count(self) -> int:
        return super().present_count() + len(self._supers) * SUPERPAGE_FRAMES

    def destroy(self) -> int:
        resident = len(self._supers) * SUPERPAGE_FRAMES
        self.drop_superpages(0, VA_HALF)
        return resident + super().destroy()
