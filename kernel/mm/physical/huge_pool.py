"""The pool of huge pages for MAP_HUGETLB: taken at the start of the machine, never given back.

A mapping reserves pages of the pool, so that its faults find one (hugetlbfs_reserv.rst of Linux).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from emu.machine.pte import HUGE_FRAMES
from kernel.base.errors import OutOfMemory
from kernel.mm.physical.frames import Frames, Kind


class HugePool:
    """``count`` runs of 512 frames. Each frame has a reference of the pool."""

    def __init__(self, frames: Frames, count: int) -> None:
        """Raises OutOfMemory if they do not fit."""
        self._frames = frames
        self.runs = frames.pool
        """PPN of the first frame of each."""
        self.held: set[int] = set()
        """Runs that a shared mapping holds, whether or not they are mapped."""
        self.spaces: Callable[[], Iterable[object]] = lambda: ()
        """The address spaces of all processes."""
        self.reserved = 0
        """Number of free huge pages that mappings have reserved."""
        try:
            for _ in range(count):
                self.runs.append(frames.allocate_run(Kind.HUGETLB))
        except OutOfMemory:
            self.release()
            raise

    def _is_free(self, run: int) -> bool:
        return run not in self.held and self._frames.count(run) == 1

    @property
    def free(self) -> int:
        """Number of unused huge pages, reserved ones included."""
        return sum(map(self._is_free, self.runs))

    def reserve(self, count: int) -> bool:
        """Reserves ``count`` huge pages; returns False if there are not as many."""
        if count > self.free - self.reserved:
            return False
        self.reserved += count
        return True

    def take(self, *, reserved: bool) -> int | None:
        """A free huge page of zeroes, with one further reference of each frame; None without one.

        ``reserved`` uses a reservation of the caller's.
        """
        if not reserved and self.free <= self.reserved:
            return None
        run = next(filter(self._is_free, self.runs), None)
        if run is None:
            return None
        self.reserved -= reserved
        self._frames.ram.zero_frames(run, HUGE_FRAMES)
        self._frames.share_run(run)
        return run

    def share(self, run: int) -> None:
        """Adds a reference of each frame."""
        self._frames.share_run(run)

    def zero_if_mapped(self, run: int) -> bool:
        """Zeroes a held page that is mapped; returns whether it is."""
        mapped = self._frames.count(run) > 1
        if mapped:
            self._frames.ram.zero_frames(run, HUGE_FRAMES)
        return mapped

    def release(self) -> None:
        """Frees all of it, at the end of the machine."""
        for run in self.runs:
            self._frames.release_run(run)
        self.runs.clear()
