"""The VMAs of an address space, sorted by address (Linux keeps them in a maple tree)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from kernel.base.budget import Kind
from kernel.base.errno import ENOMEM
from kernel.base.errors import Errno
from kernel.mm.frames import Frames
from kernel.mm.page_cache import Backing
from kernel.mm.vma import LOWEST, MAX_VMAS, STACK_GUARD, USER_END, Vma, page_up


class VmaList:
    """Disjoint VMAs in ascending order, each charged to the budget and a user of its backing."""

    def __init__(self, frames: Frames) -> None:
        self.frames = frames
        self.vmas: list[Vma] = []
        self.mmap_top = USER_END
        """Upper bound of the ranges that mmap(2) chooses."""
        self._starts: list[int] = []
        self._packed = 0, 0

    def find(self, va: int) -> Vma | None:
        """The VMA that holds ``va``."""
        index = bisect_right(self._starts, va) - 1
        if index >= 0 and va < self.vmas[index].end:
            return self.vmas[index]
        return None

    def above(self, va: int) -> Vma | None:
        """The first VMA that starts above ``va``."""
        index = bisect_right(self._starts, va)
        return self.vmas[index] if index < len(self.vmas) else None

    def overlapping(self, start: int, end: int) -> list[Vma]:
        index = max(bisect_right(self._starts, start) - 1, 0)
        found = []
        while index < len(self.vmas) and self.vmas[index].start < end:
            if self.vmas[index].end > start:
                found.append(self.vmas[index])
            index += 1
        return found

    def covers(self, start: int, end: int) -> bool:
        """Returns whether VMAs cover all of [start, end)."""
        at = start
        for vma in self.overlapping(start, end):
            if vma.start > at:
                return False
            at = vma.end
        return at >= end

    def find_gap(self, length: int, hint: int = 0) -> int:
        """Returns the start of ``length`` free bytes: ``hint``, or as high as possible; ENOMEM."""
        hint = page_up(hint)
        if LOWEST <= hint <= USER_END - length and not self.overlapping(hint, hint + length):
            return hint
        top = self._packed_from()
        for index in range(bisect_left(self._starts, top) - 1, -1, -1):
            vma = self.vmas[index]
            if vma.end <= top and top - vma.end >= length:
                return top - length
            top = min(top, vma.start - (STACK_GUARD if vma.grows_down else 0))
        if top - LOWEST >= length:
            return top - length
        raise Errno(ENOMEM)

    def _packed_from(self) -> int:
        """Lowest address from which there is no gap up to ``mmap_top``. The result is cached until
        something is unmapped.
        """
        limit, at = self._packed
        if limit != self.mmap_top:
            at = self.mmap_top
        index = bisect_left(self._starts, at) - 1
        while index >= 0 and self.vmas[index].end >= at and not self.vmas[index].grows_down:
            at = self.vmas[index].start
            index -= 1
        self._packed = self.mmap_top, at
        return at

    def _insert(self, vma: Vma) -> None:
        self.frames.budget.take(Kind.MAPPING, vma.cost)
        index = bisect_right(self._starts, vma.start)
        self.vmas.insert(index, vma)
        self._starts.insert(index, vma.start)
        add_users(vma.backing, 1)

    def _check_limit(self) -> None:
        """Raises ENOMEM when no VMA can be added."""
        if len(self.vmas) >= MAX_VMAS:
            raise Errno(ENOMEM)

    def _split(self, va: int) -> None:
        vma = self.find(va)
        if vma is None or vma.start == va:
            return
        self._check_limit()
        upper = vma.part(va, vma.end)
        self._insert(upper)
        vma.end = va

    def _join(self, start: int, end: int) -> None:
        """Merges the VMAs in and beside [start, end] that continue each other."""
        index = max(bisect_right(self._starts, start) - 2, 0)
        while index + 1 < len(self.vmas) and self.vmas[index].start <= end:
            if self.vmas[index].continues(self.vmas[index + 1]):
                upper = self.vmas.pop(index + 1)
                del self._starts[index + 1]
                self.frames.budget.give_back(Kind.MAPPING, upper.cost)
                self.vmas[index].end = upper.end
                add_users(upper.backing, -1)
            else:
                index += 1


def add_users(backing: Backing | None, change: int) -> None:
    if backing is not None:
        backing.users += change


def drop_user(backing: Backing | None) -> None:
    if backing is not None:
        backing.users -= 1
        if not backing.users:
            backing.unused()
