"""Frames of physical memory, with reference counts.

A frame's count is the number of PTEs that map it, plus one for each holder in the kernel (the page
cache, a shared mapping's pages, the zero frame's permanent pin). It is free at zero. The frames of
page tables are counted here too.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable
from enum import IntEnum
from functools import cached_property

from emu.machine.pte import PPN_MASK, PPN_SHIFT, PTES_PER_TABLE
from emu.machine.ram import Ram
from kernel.base.budget import Budget
from kernel.base.errors import OutOfMemory
from kernel.base.lazy_numpy import Bytes, Counts, Indices, Marks, Ptes, np

_MANY_FREE = 8192
"""32 MiB: so much the host may have to wait for."""
_LEAST_TRIMMED = 32
"""The shortest run of free frames for which the host is called."""


class Kind(IntEnum):
    """What a frame is used for."""

    FREE = 0
    PRIVATE = 1
    """Anonymous memory or a private copy of a file page: what fork shares copy-on-write."""
    CACHE = 2
    """A page of a file, or of memory that is shared on purpose; its holder pins it."""
    TABLE = 3
    ZERO = 4


_PRIVATE, _TABLE = int(Kind.PRIVATE), int(Kind.TABLE)  # NumPy is slow with an enum's members


class Frames:
    """The allocator. Frames are named by their PPN; a fresh machine hands them out in order."""

    def __init__(self, ram: Ram) -> None:
        self.ram = ram
        self.first = ram.first_ppn
        self.total = ram.frame_count
        # Single elements are read through memoryviews: three times as fast as through NumPy.
        self._count: memoryview[int] = memoryview(bytearray(4 * self.total)).cast("i")
        self._kind: memoryview[int] = memoryview(bytearray(self.total))
        self._untouched = 0
        self._free = array("q")
        self._given_to_host = 0
        """So many of the free frames, at the least, take no memory of the host."""
        self.used = 0
        self.allocations = 0
        """How many allocations were asked for."""
        self._fail_at = 0
        self.tables_made = 0
        """How many page tables, of all levels, were ever made."""
        self.peak = 0
        self.budget = Budget()
        """Budget of mappings: they use memory of the host, not frames."""
        self.reclaim: Callable[[], bool] = lambda: False
        """Asked to free something when no frame is left; whether it did."""
        self.zero = self.allocate(Kind.ZERO)
        """The one frame of zeroes that all reads of untouched anonymous memory share."""

    @cached_property
    def counts(self) -> Counts:
        """The count of each frame, by index."""
        return np.frombuffer(self._count, np.int32)

    @cached_property
    def kinds(self) -> Bytes:
        """The kind of each frame, by index."""
        return np.frombuffer(self._kind, np.uint8)

    @cached_property
    def words(self) -> Ptes:
        """All of RAM as if it were PTEs."""
        return np.frombuffer(self.ram.bytes, np.uint64)

    @cached_property
    def tables(self) -> Ptes:
        """All of RAM as if it were tables, a row for each frame."""
        return self.words.reshape(-1, PTES_PER_TABLE)

    def allocate(self, kind: Kind) -> int:
        """A frame with count 1 and undefined content; :class:`OutOfMemory` when none is left."""
        return self._take(kind)[0]

    def allocate_zeroed(self, kind: Kind) -> int:
        """A frame of zeroes with count 1."""
        ppn, fresh = self._take(kind)
        if not fresh:
            self.ram.zero_frame(ppn)
        return ppn

    def _take(self, kind: Kind) -> tuple[int, bool]:
        """A frame, and whether it is still as zero as the host gave it."""
        self.allocations += 1
        if self.allocations == self._fail_at:
            raise OutOfMemory
        while not self._free and self._untouched == self.total:
            if not self.reclaim():
                raise OutOfMemory
        fresh = not self._free
        if fresh:
            index = self._untouched
            self._untouched += 1
        else:
            index = self._free.pop()
            self._given_to_host = min(self._given_to_host, len(self._free))
        self._count[index] = 1
        self._kind[index] = kind
        if kind is Kind.TABLE:
            self.tables_made += 1
        self.used += 1
        self.peak = max(self.peak, self.used)
        return self.first + index, fresh

    def start_counting(self, fail_at: int = 0) -> None:
        """Counts allocations from now on, and makes number ``fail_at`` fail; 0 for none."""
        self.allocations, self._fail_at = 0, fail_at

    @property
    def made_to_fail(self) -> bool:
        """Whether the last allocation was the one to fail."""
        return self.allocations == self._fail_at

    @property
    def shortage(self) -> str:
        """Why the last allocation failed, for the user."""
        if self.made_to_fail:
            return f"allocation {self._fail_at} was made to fail"
        return f"all {self.total} frames of {self.ram.size >> 20} MiB are in use"

    def count(self, ppn: int) -> int:
        return self._count[ppn - self.first]

    def kind(self, ppn: int) -> Kind:
        return Kind(self._kind[ppn - self.first])

    def share(self, ppn: int) -> None:
        """One more holder."""
        self._count[ppn - self.first] += 1

    def release(self, ppn: int) -> None:
        """One holder less; the frame is free when it was the last."""
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
        """One holder less for each frame; the lowest that is free then is handed out next."""
        for ppn in sorted(ppns, reverse=True):
            self.release(ppn)
        self._trim()

    def share_all(self, ptes: Ptes) -> None:
        """One more holder for the frame of each PTE, all of one process."""
        once, again = self._by_repetition(self.indices(ptes))
        self.counts[once] += 1
        if len(again):
            np.add.at(self.counts, again, 1)

    def release_all(self, ptes: Ptes) -> None:
        """One holder less for the frame of each PTE, all of one process."""
        once, again = self._by_repetition(self.indices(ptes))
        self._release_once(once)
        if len(again):
            np.subtract.at(self.counts, again, 1)
            self._give_back(np.unique(again[self.counts[again] == 0]))
            _check_counts(self.counts[again])

    def release_many(self, ppns: Collection[int]) -> None:
        """:meth:`release_each` for frames of which none is there twice, with NumPy."""
        self._release_once(np.fromiter(ppns, np.int64, len(ppns)) - self.first)

    def _release_once(self, indices: Indices) -> None:
        left = self.counts[indices] - 1
        self.counts[indices] = left
        self._give_back(indices[left == 0])
        _check_counts(left)

    def _by_repetition(self, indices: Indices) -> tuple[Indices, Indices]:
        """Those that one process maps once, which NumPy counts twenty times as fast, and others.

        A private frame and a table have one place in a process; the zero frame and a page of a
        file or of shared memory may have several.
        """
        kinds = self.kinds[indices]
        single = (kinds == _PRIVATE) | (kinds == _TABLE)
        if single.all():
            return indices, indices[:0]
        return indices[single], indices[~single]

    def indices(self, ptes: Ptes) -> Indices:
        """Each PTE's frame as an index into ``counts`` and ``kinds``."""
        return ((ptes >> PPN_SHIFT) & PPN_MASK).astype(np.int64) - self.first

    def private(self, ptes: Ptes) -> Marks:
        """Which of the PTEs are of private frames."""
        marks: Marks = self.kinds[self.indices(ptes)] == _PRIVATE
        return marks

    @property
    def touched(self) -> int:
        """How many frames were ever handed out; those beyond are as the host gave them."""
        return self._untouched

    def free_frames(self) -> Indices:
        """The frames that were used and are free."""
        return np.array(self._free, np.int64) + self.first

    def _give_back(self, indices: Indices) -> None:
        """What is handed out next is the lowest of them."""
        self.kinds[indices] = Kind.FREE
        self._free.frombytes(np.sort(indices)[::-1].tobytes())
        self.used -= len(indices)
        self._trim()

    def _trim(self) -> None:
        """Gives the host its memory back when many frames are free that it still holds."""
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
