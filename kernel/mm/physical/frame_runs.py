"""Runs of 512 consecutive frames, aligned to 2 MiB: the memory of huge pages.

Each frame of a run has its own count, so that a huge page can be split without a change of counts.
"""

from __future__ import annotations

from array import array
from typing import Final

from emu.machine.pte import HUGE_FRAMES, PAGE_SHIFT
from emu.machine.ram import Ram
from kernel.base.errors import OutOfMemory
from kernel.base.lazy_numpy import Bytes, Counts, Indices, np
from kernel.base.memory_figures import HugeEvents

_MAX_DEFERRED: Final = 64
"""Maximum number of searches that are omitted after one failed, as Linux defers compaction."""


FORKED: Final = 1
"""Mark of a frame that a fork shared. A store of its only user removes it (Linux sets
PG_anon_exclusive then); until then mprotect(2) does not give W."""
OF_RUN: Final = 2
"""Mark of a frame that was allocated as part of a run."""


class FrameRuns:
    """The part of :class:`kernel.mm.physical.frames.Frames` that manages runs.

    A run is identified by the PPN of its first frame.
    """

    ram: Ram
    first: int
    total: int
    used: int
    peak: int
    allocations: int
    _count: memoryview[int]
    _kind: memoryview[int]
    _marks: memoryview[int]
    _free: array[int]
    _untouched: int
    _provided: int
    _given_to_host: int
    _fail_at: int

    def __init__(self) -> None:
        self._counts: Counts | None = None
        self._kinds: Bytes | None = None
        self._all_marks: Bytes | None = None
        self._deferred = self._defer = 0
        self._free_in_vain = 0
        """Number of free frames when a search was in vain."""
        self.pool: list[int] = []
        """The runs of the pool for MAP_HUGETLB."""
        self.huge_events = HugeEvents()
        self.huge_zero: int | None = None
        """The run of zeroes that reads of untouched huge pages share; None until there is one."""

    @property
    def counts(self) -> Counts:
        """Reference count of each frame, by index."""
        if self._counts is None:
            self._counts = np.frombuffer(self._count, np.int32)
        return self._counts

    @property
    def kinds(self) -> Bytes:
        """Kind of each frame, by index."""
        if self._kinds is None:
            self._kinds = np.frombuffer(self._kind, np.uint8)
        return self._kinds

    @property
    def marks(self) -> Bytes:
        """``FORKED`` and ``OF_RUN`` of each frame, by index."""
        if self._all_marks is None:
            self._all_marks = np.frombuffer(self._marks, np.uint8)
        return self._all_marks

    def _mark_forked(self, indices: Indices | slice) -> None:
        self.marks[indices] |= FORKED

    def _give_back(self, indices: Indices) -> None:
        raise NotImplementedError

    def _trim(self) -> None:
        raise NotImplementedError

    def allocate_run(self, kind: int) -> int:
        """Allocates a run with undefined content, each frame with count 1; one allocation.

        ``kind`` is a :class:`kernel.mm.physical.frames.Kind`.

        Raises :class:`OutOfMemory` when there are no 512 free frames in a row; nothing is
        reclaimed, since pages of 4 KiB will do.
        """
        return self._take_run(kind)[0]

    def allocate_zeroed_run(self, kind: int) -> int:
        """Allocates a run of zeroes, as :meth:`allocate_run`."""
        ppn, fresh = self._take_run(kind)
        if not fresh:
            self.ram.zero_frames(ppn, HUGE_FRAMES)
        return ppn

    def _take_run(self, kind: int) -> tuple[int, bool]:
        """Takes a run; returns it and whether it is still zero because it was never used."""
        self.allocations += 1
        if self.allocations == self._fail_at:
            raise OutOfMemory
        start = self._find_run()
        if start is None:
            raise OutOfMemory
        end = start + HUGE_FRAMES
        fresh = start >= self._untouched
        if end > self._provided:
            self._provide(end)
        free = np.array(self._free, np.int64)
        left = free[(free < start) | (free >= end)]
        skipped = np.arange(start - 1, self._untouched - 1, -1)
        del self._free[:]
        self._free.frombytes(np.concatenate([skipped, left]).tobytes())
        self._given_to_host = min(self._given_to_host, len(self._free))
        self._untouched = max(self._untouched, end)
        self.counts[start:end] = 1
        self.kinds[start:end] = kind
        self.marks[start:end] = OF_RUN
        self.used += HUGE_FRAMES
        self.peak = max(self.peak, self.used)
        return self.first + start, fresh

    def _provide(self, end: int) -> None:
        """Lets the host provide memory for the frames before ``end``."""
        pages = self.ram.host_pages
        while pages.end < end << PAGE_SHIFT:
            pages.extend()
        self._provided = pages.end >> PAGE_SHIFT

    def may_have_run(self) -> bool:
        """Returns whether a search for a run is worth its time: none was in vain just before, or as
        many frames as a run has were freed since.
        """
        if self._deferred and len(self._free) < self._free_in_vain + HUGE_FRAMES:
            self._deferred -= 1
            return False
        return True

    def _find_run(self) -> int | None:
        """The index of the lowest free run."""
        offset = -self.first % HUGE_FRAMES
        start = offset - (offset - self._untouched) // HUGE_FRAMES * HUGE_FRAMES
        lowest: int | None = start if start + HUGE_FRAMES <= self.total else None
        if len(self._free) >= HUGE_FRAMES or lowest is None:
            lowest = self._find_freed(offset)
        if lowest is None:
            self._defer = min(2 * self._defer or 1, _MAX_DEFERRED)
            self._deferred = self._defer
            self._free_in_vain = len(self._free)
        else:
            self._defer = 0
        return lowest

    def _find_freed(self, offset: int) -> int | None:
        """The index of the lowest run of frames that were used and are free, or never used."""
        whole = (self.total - offset) // HUGE_FRAMES
        if whole <= 0:
            return None
        free = np.zeros(self.total, bool)
        free[self._untouched :] = True
        free[np.array(self._free, np.int64)] = True
        runs = free[offset : offset + whole * HUGE_FRAMES].reshape(whole, -1)
        found = np.flatnonzero(runs.all(axis=1))
        return offset + int(found[0]) * HUGE_FRAMES if len(found) else None

    def share_run(self, ppn: int) -> None:
        """Adds a reference of each frame of a run, which a fork shares."""
        run = self._run(ppn)
        self.counts[run] += 1
        self._mark_forked(run)

    def release_run(self, ppn: int) -> None:
        """Removes a reference of each frame of a run; those without references are free."""
        start = ppn - self.first
        left = self.counts[start : start + HUGE_FRAMES]
        left -= 1
        if left.min() < 0:
            raise RuntimeError(f"a frame from {ppn:#x} on was released more often than shared")
        freed = start + np.flatnonzero(left == 0)
        if len(freed) == HUGE_FRAMES:
            self._free_run(start)
        else:
            self._give_back(freed)

    def _free_run(self, start: int) -> None:
        """Frees a run, whose frames are allocated after all others, so that it remains one."""
        self.kinds[start : start + HUGE_FRAMES] = 0
        others = self._free.tobytes()
        del self._free[:]
        self._free.frombytes(np.arange(start + HUGE_FRAMES - 1, start - 1, -1).tobytes() + others)
        self.used -= HUGE_FRAMES
        self._given_to_host = 0
        self._trim()

    def is_run_unshared(self, ppn: int) -> bool:
        """Returns whether each frame of a run has one reference."""
        return bool((self.counts[self._run(ppn)] == 1).all())

    def is_run_exclusive(self, ppn: int) -> bool:
        """Returns whether each frame of a run is exclusive."""
        return self.is_run_unshared(ppn) and not (self.marks[self._run(ppn)] & FORKED).any()

    def make_run_exclusive(self, ppn: int) -> None:
        """The only user of a run stores to it."""
        self.marks[self._run(ppn)] &= ~np.uint8(FORKED)

    def is_run_of_one_user(self, ppn: int) -> bool:
        """Returns whether of the run with this frame several frames are used, each by one process.

        Frames that were freed, and allocated again one by one, are no longer part of it.
        """
        run = self._run(ppn & -HUGE_FRAMES)
        counts = self.counts[run][(self.marks[run] & OF_RUN) != 0]
        return int(counts.max()) == 1 and int(np.count_nonzero(counts)) > 1

    def _run(self, ppn: int) -> slice:
        return slice(ppn - self.first, ppn - self.first + HUGE_FRAMES)
