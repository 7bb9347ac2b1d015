"""Frame allocator with allocation of aligned runs of 2 MiB."""

from __future__ import annotations

from emu.lab.kit.values import SUPERPAGE_SIZE
from emu.machine.pte import PAGE_SHIFT
from kernel.base.errors import OutOfMemory
from kernel.base.lazy_numpy import np
from kernel.mm.frames import Frames, Kind

SUPERPAGE_FRAMES = SUPERPAGE_SIZE >> PAGE_SHIFT


class SuperpageFrames(Frames):
    """Allocates the frames of a superpage together; they are counted and released one by one."""

    def allocate_superpage(self) -> int:
        """Returns the first of 512 aligned frames, each with count 1. Counts as one allocation.

        Raises :class:`OutOfMemory` if there is no such run of free frames.
        """
        self.allocations += 1
        if self.allocations == self._fail_at:
            raise OutOfMemory
        while (start := self._run()) is None:
            if not self.reclaim():
                raise OutOfMemory
        end = start + SUPERPAGE_FRAMES
        taken = range(start, end)
        passed_over = range(self._untouched, start)
        left = [index for index in self._free if index not in taken]
        del self._free[:]
        self._free.extend([*reversed(passed_over), *left])
        self._given_to_host = 0
        self._untouched = max(self._untouched, end)
        self.counts[start:end] = 1
        self.kinds[start:end] = Kind.PRIVATE
        self.used += SUPERPAGE_FRAMES
        self.peak = max(self.peak, self.used)
        return self.first + start

    def _run(self) -> int | None:
        """Returns the index of the first run of 512 free, aligned frames."""
        offset = -self.first % SUPERPAGE_FRAMES
        free = np.zeros(self.total, bool)
        free[self._untouched :] = True
        free[np.array(self._free, np.int64)] = True
        whole = (self.total - offset) // SUPERPAGE_FRAMES
        if whole <= 0:
            return None
        runs = free[offset : offset + whole * SUPERPAGE_FRAMES].reshape(whole, -1)
        found = np.flatnonzero(runs.sum(axis=1) == SUPERPAGE_FRAMES)
        return offset + int(found[0]) * SUPERPAGE_FRAMES if len(found) else None
