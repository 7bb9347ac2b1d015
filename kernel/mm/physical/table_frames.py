"""Counts of the frames that whole leaf tables map, by the loops of :mod:`pte_loops`."""

from __future__ import annotations

from array import array

from emu.machine.pte import PTES_PER_TABLE, VA_MASK
from kernel.base.lazy_numpy import np
from kernel.mm.physical import pte_loops
from kernel.mm.physical.frame_runs import FrameRuns


class TableFrames(FrameRuns):
    """The part of :class:`kernel.mm.physical.frames.Frames` for leaf tables.

    A table is known by the index of its first word in RAM's words.
    """

    zero: int

    def share_pages(
        self, source: int, target: int, number: int, mask: int = VA_MASK
    ) -> tuple[int, int]:
        """Copies ``number`` PTEs, with the flags in ``mask``, and adds a reference of each frame.
        Returns the number of pages, and of those in private frames.
        """
        return pte_loops.share(
            self.ram.typed_words,
            source,
            target,
            number,
            mask,
            self._count,
            self._kind,
            self._marks,
            self.first,
        )

    def count_pages(self, leaf: int) -> tuple[int, int, int]:
        """Counts the pages of a leaf table: all, private ones, those of the frame of zeroes."""
        words, last = self.ram.typed_words, leaf + PTES_PER_TABLE
        return pte_loops.count(words, leaf, last, self._kind, self.first, self.zero)

    def release_pages(self, leaves: list[int]) -> int:
        """Removes a reference for each PTE of leaf tables; returns the number of pages."""
        freed = array("q", bytes(8 * PTES_PER_TABLE * len(leaves)))
        mapped = number = 0
        with memoryview(freed) as view:
            for leaf in leaves:
                pages, number = pte_loops.release(
                    self.ram.typed_words,
                    leaf,
                    leaf + PTES_PER_TABLE,
                    self._count,
                    self.first,
                    view,
                    number,
                )
                if pages < 0:
                    raise RuntimeError("a frame was released more often than shared")
                mapped += pages
        if number > PTES_PER_TABLE:
            self._give_back(np.frombuffer(freed, np.int64)[:number])
            return mapped
        for index in sorted(freed[:number], reverse=True):
            self._kind[index] = 0
            self._free.append(index)
        self.used -= number
        self._trim()
        return mapped
