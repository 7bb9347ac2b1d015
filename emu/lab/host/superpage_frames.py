"""The allocator of frames, with 2 MiB in a row."""

from __future__ import annotations

from emu.lab.kit.values import SUPERPAGE_SIZE
from emu.machine.pte import PAGE_SHIFT
from kernel.base.errors import OutOfMemory
from kernel.base.lazy_numpy import np
from kernel.mm.frames import Frames, Kind

SUPERPAGE_FRAMES = SUPERPAGE_SIZE >> PAGE_SHIFT


class SuperpageFrames(Frames):
    """The frames of a superpage are handed out together, and counted and released one by one."""

    def allocate_superpage(self) -> int:
        """The first of 512 frames, aligned, each with count 1; one allocation by the counter.

        :class:`OutOfMemory` when nowhere so many are free together.
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
        """The index of the first of 512 free frames at an address that they divide."""
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
