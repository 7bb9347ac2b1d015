"""Frames of physical memory, with reference counts.

A frame's reference count is the number of PTEs that map it, plus one for each pin of the kernel
(the page cache, the pages of a shared mapping, the zero frame's permanent pin). At zero it is free.
Frames of page tables are counted here too.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable
from enum import IntEnum
from typing import Final

from emu.machine.pte import PPN_MASK, PPN_SHIFT, PTES_PER_TABLE
from emu.machine.ram import Ram, reserve
from kernel.base.budget import Budget
from kernel.base.errors import OutOfMemory
from kernel.base.lazy_numpy import Counts, Indices, Marks, Ptes, distinct, np
from kernel.mm.physical.frame_runs import FORKED, OF_RUN
from kernel.mm.physical.table_frames import TableFrames

_MANY_FREE: Final = 8192
"""Number of free frames (32 MiB) from which their memory is returned to the host."""
_LEAST_TRIMMED: Final = 32
"""Minimum length of a run of free frames that is returned to the host."""


class Kind(IntEnum):
    """Use of a frame."""

    FREE = 0
    PRIVATE = 1
    """Anonymous memory or a private copy of a file page: what fork shares copy-on-write."""
    CACHE = 2
    """A page of a file or of shared memory; its backing pins it."""
    TABLE = 3
    ZERO = 4
    HUGETLB = 5
    """A page of the pool for MAP_HUGETLB, which pins it."""


_KINDS: Final = tuple(Kind)
"""The kinds by value: a look-up in an enumeration takes seven times as long."""
_PRIVATE, _TABLE = int(Kind.PRIVATE), int(Kind.TABLE)  # NumPy is slow with an enum's members


_RESERVED: Final = 8
"""One of this many frames is not used ahead of need."""


def _column(size: int) -> memoryview:
    """Zeroed bytes for a property of each frame."""
    return memoryview(reserve(size, "the counts of frames"))


class Frames(TableFrames):
    """The frame allocator. Frames are identified by PPN; never-used ones are allocated in order."""

    def __init__(self, ram: Ram) -> None:
        super().__init__()
        self.ram = ram
        self.first = ram.first_ppn
        self.total = ram.frame_count
        # Single elements are read through memoryviews, three times as fast as through NumPy.
        self._count: memoryview[int] = _column(4 * self.total).cast("i")
        self._kind: memoryview[int] = _column(self.total)
        self._marks: memoryview[int] = _column(self.total)
        self._words: Ptes | None = None
        self._tables: Ptes | None = None
        self._untouched = 0
        self._provided = 0
        """Number of frames for which the host provides memory when they are touched."""
        self._free = array("q")
        self._given_to_host = 0
        """Lower bound of the free frames that take no host memory."""
        self.used = 0
        self.allocations = 0
        """Number of allocations requested."""
        self._fail_at = 0
        self.tables_made = 0
        """Number of page tables allocated, of all levels."""
        self.peak = 0
        self.budget = Budget()
        """Budget of mappings, which use host memory and not frames."""
        self.reclaim: Callable[[], bool] = lambda: False
        """Called when no frame is free; returns whether it freed any."""
        self.zero = self.allocate(Kind.ZERO)
        """The frame of zeroes that all reads of untouched anonymous memory share."""

    @property
    def words(self) -> Ptes:
        """All of RAM, as PTEs."""
        if self._words is None:
            self._words = np.frombuffer(self.ram.bytes, np.uint64)
        return self._words

    @property
    def tables(self) -> Ptes:
        """All of RAM, as page tables: one row per frame."""
        if self._tables is None:
            self._tables = self.words.reshape(-1, PTES_PER_TABLE)
        return self._tables

    @property
    def columns(self) -> tuple[memoryview, memoryview]:
        """The counts and the kinds of all frames, by the PPN less ``first``, to be read."""
        return self._count, self._kind

    def word(self, ppn: int) -> int:
        """Index of the frame's first word in RAM's words."""
        return (ppn - self.first) * PTES_PER_TABLE

    def allocate(self, kind: Kind) -> int:
        """Allocates a frame with count 1 and undefined content; raises :class:`OutOfMemory`."""
        return self._take(kind)

    def allocate_zeroed(self, kind: Kind) -> int:
        """Allocates a frame of zeroes with count 1; raises :class:`OutOfMemory`."""
        untouched = self._untouched
        ppn = self._take(kind)
        if self._untouched == untouched:  # the frame was used before
            self.ram.zero_frame(ppn)
        return ppn

    def _take(self, kind: Kind) -> int:
        """Takes a frame that was used before or, if none is free, the next untouched one."""
        self.allocations += 1
        if self.allocations == self._fail_at:
            raise OutOfMemory
        while not self._free and self._untouched == self.total:
            if not self.reclaim():
                raise OutOfMemory
        if not self._free:
            index = self._untouched
            if index >= self._provided:
                self._provide(index + 1)
            self._untouched += 1
        else:
            index = self._free.pop()
            self._marks[index] = 0
            self._given_to_host = min(self._given_to_host, len(self._free))
        self._count[index] = 1
        self._kind[index] = kind
        if kind is Kind.TABLE:
            self.tables_made += 1
        self.used += 1
        self.peak = max(self.peak, self.used)
        return self.first + index

    def start_counting(self, fail_at: int = 0) -> None:
        """Resets the count of allocations; number ``fail_at`` fails, 0 for none."""
        self.allocations, self._fail_at = 0, fail_at

    @property
    def made_to_fail(self) -> bool:
        """True when the last allocation failed by request (``fail_at``)."""
        return self.allocations == self._fail_at

    def is_plenty(self) -> bool:
        """Returns whether so many frames are free that some may be used ahead of need."""
        return self.total - self.used > self.total // _RESERVED

    @property
    def shortage(self) -> str:
        """Reason of the last allocation failure, for the user."""
        if self.made_to_fail:
            return f"allocation {self._fail_at} was made to fail"
        return f"all {self.total} frames of {self.ram.size >> 20} MiB are in use"

    def count(self, ppn: int) -> int:
        return self._count[ppn - self.first]

    def kind(self, ppn: int) -> Kind:
        return _KINDS[self._kind[ppn - self.first]]

    def is_exclusive(self, ppn: int) -> bool:
        """Returns whether a private frame has one user, who has stored to it since it was shared
        by a fork, if it was.
        """
        return self.count(ppn) == 1 and not self._marks[ppn - self.first] & FORKED

    def make_exclusive(self, ppn: int) -> None:
        """The only user of a frame stores to it."""
        self._marks[ppn - self.first] &= ~FORKED

    def may_reuse(self, ppn: int) -> bool:
        """Returns whether the process that maps a private frame may store to it without a copy.

        A frame of a run is copied as long as other processes map other frames of it, and when it is
        the last one that is used (wp_can_reuse_anon_folio() of Linux).
        """
        if self.count(ppn) != 1:
            return False
        return not self._marks[ppn - self.first] & OF_RUN or self.is_run_of_one_user(ppn)

    def share(self, ppn: int) -> None:
        """Adds a reference."""
        self._count[ppn - self.first] += 1

    def share_each(self, ppns: Iterable[int]) -> None:
        """Adds a reference of each frame."""
        for ppn in ppns:
            self._count[ppn - self.first] += 1

    def release(self, ppn: int) -> None:
        """Removes a reference; without references the frame is free."""
        index = ppn - self.first
        left = self._count[index] - 1
        if left < 0:
            raise RuntimeError(f"frame {ppn:#x} was released more often than shared")
        self._count[index] = left
        if left == 0:
            self._kind[index] = Kind.FREE
            self._free.append(index)
            self.used -= 1

    def release_each(self, ppns: Iterable[int]) -> None:
        """Removes a reference of each frame; the lowest freed one is allocated next."""
        for ppn in sorted(ppns, reverse=True):
            self.release(ppn)
        self._trim()

    def share_all(self, ptes: Ptes) -> None:
        """Adds a reference for each PTE, all of one process, whose pages a fork shares."""
        once, again = self._by_repetition(self.indices(ptes))
        self.counts[once] += 1
        self._mark_forked(once)
        if len(again):
            np.add.at(self.counts, again, 1)

    def release_all(self, ptes: Ptes) -> None:
        """Removes a reference for each PTE, all of one process."""
        once, again = self._by_repetition(self.indices(ptes))
        self._release_once(once)
        if len(again):
            np.subtract.at(self.counts, again, 1)
            freed = again[self.counts[again] == 0]
            if len(freed):
                self._give_back(distinct(freed))
            _check_counts(self.counts[again])

    def release_many(self, ppns: Collection[int]) -> None:
        """Does :meth:`release_each` for distinct frames, with NumPy."""
        self._release_once(np.fromiter(ppns, np.int64, len(ppns)) - self.first)

    def _release_once(self, indices: Indices) -> None:
        left = self.counts[indices] - 1
        self.counts[indices] = left
        self._give_back(indices[left == 0])
        _check_counts(left)

    def _by_repetition(self, indices: Indices) -> tuple[Indices, Indices]:
        """Splits frames into those that a process maps at most once, and others.

        NumPy updates the counts of distinct indices twenty times as fast. A private frame and a
        table are mapped once; the zero frame and pages of backings may be mapped several times.
        """
        kinds = self.kinds[indices]
        single = (kinds == _PRIVATE) | (kinds == _TABLE)
        if single.all():
            return indices, indices[:0]
        return indices[single], indices[~single]

    def indices(self, ptes: Ptes) -> Indices:
        """Index of each PTE's frame into ``counts`` and ``kinds``."""
        return ((ptes >> PPN_SHIFT) & PPN_MASK).astype(np.int64) - self.first

    def private(self, ptes: Ptes) -> Marks:
        """Marks the PTEs that map private frames."""
        marks: Marks = self.kinds[self.indices(ptes)] == _PRIVATE
        return marks

    @property
    def touched(self) -> int:
        """Number of frames ever allocated; those beyond are still zero."""
        return self._untouched

    def free_frames(self) -> Indices:
        """The frames that were used and are free."""
        return np.array(self._free, np.int64) + self.first

    def _give_back(self, indices: Indices) -> None:
        """Frees the frames; the lowest of them is allocated next."""
        self.kinds[indices] = Kind.FREE
        self._free.frombytes(np.sort(indices)[::-1].tobytes())
        self.used -= len(indices)
        self._trim()

    def _trim(self) -> None:
        """Returns the memory of free frames to the host when there are many."""
        if len(self._free) - self._given_to_host < _MANY_FREE:
            return
        free = np.sort(np.array(self._free, np.int64))
        ends = np.flatnonzero(np.diff(free, append=free[-1] + 2) != 1)
        first = 0
        for end in ends.tolist():
            if end + 1 - first >= _LEAST_TRIMMED:
                self.ram.discard(self.first + int(free[first]), end + 1 - first)
            first = end + 1
        self._given_to_host = len(free)


def _check_counts(left: Counts) -> None:
    if left.min(initial=0) < 0:
        raise RuntimeError("a frame was released more often than shared")
