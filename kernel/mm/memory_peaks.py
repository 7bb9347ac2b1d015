"""Sizes of an address space and their peaks: VmSize, VmPeak, VmRSS, VmHWM.

As in Linux, a peak is noted where its size is about to decrease, so that a page fault costs nothing
but the increment of ``resident_bound``.
"""

from __future__ import annotations

from kernel.mm.mappings.vma_list import VmaList
from kernel.mm.page_tables.page_table import PageTable
from kernel.mm.physical.frames import Frames


class MemoryPeaks(VmaList):
    """Adds the resident size, in the page table ``table``, and the peaks."""

    table: PageTable

    def __init__(self, frames: Frames) -> None:
        super().__init__(frames)
        self.virtual_peak = 0
        """Peak of :meth:`virtual_pages` before the last decrease."""
        self.resident_bound = 0
        """Upper bound of :meth:`resident_pages`: a fault adds the pages that it maps."""
        self._resident_peak = 0

    def resident_pages(self) -> int:
        """Number of mapped pages, without those of the zero frame."""
        return self.table.resident_count()

    def note_virtual_peak(self) -> None:
        """Called before the virtual size decreases."""
        self.virtual_peak = max(self.virtual_peak, self.virtual_pages())

    def note_resident_peak(self) -> None:
        """Called before pages are released. Counts them only if that can be a peak."""
        if self.resident_bound > self._resident_peak:
            self.resident_bound = self.resident_pages()
            self._resident_peak = max(self._resident_peak, self.resident_bound)

    def note_last_size(self, resident: int) -> None:
        """Called when all pages, ``resident`` in number, have been released."""
        self._resident_peak = max(self._resident_peak, resident)
        self.resident_bound = 0

    def peak_resident(self) -> int:
        """Peak of :meth:`resident_pages` in pages."""
        self.note_resident_peak()
        return self._resident_peak

    def reset_peak(self) -> None:
        """Makes the present resident size the peak (clear_refs)."""
        self.resident_bound = self._resident_peak = self.resident_pages()
