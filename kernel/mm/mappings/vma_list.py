"""The VMAs of an address space, sorted by address (Linux keeps them in a maple tree).

A sorted list of starts beside the list of VMAs: a look-up is one bisection, and an insertion moves
8 bytes per VMA twice, which at the limit of VMAs costs less than the rest of a system call.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from emu.machine.pte import HUGE_SIZE, PAGE_SIZE
from kernel.base.budget import Kind
from kernel.base.errno import EINVAL, ENOMEM
from kernel.base.errors import Errno
from kernel.mm.backing.backing import Backing
from kernel.mm.mappings.free_ranges import FreeRanges
from kernel.mm.mappings.vma import LOWEST, MAX_VMAS, USER_END, Vma, VmFlag, page_up
from kernel.mm.physical.frames import Frames


class VmaList:
    """Disjoint VMAs in ascending order, each charged to the budget and a user of its backing.

    ``mapped_bytes``, ``data_bytes`` and ``locked_bytes`` are the sizes that resource limits bound:
    of all VMAs, of those that are private, writable and no stack, and of the locked ones.
    """

    def __init__(self, frames: Frames) -> None:
        self.frames = frames
        self.vmas: list[Vma] = []
        self.mmap_top = USER_END
        """Upper bound of the ranges that mmap(2) chooses."""
        self.mapped_bytes = self.data_bytes = self.locked_bytes = 0
        self._starts: list[int] = []
        self._last_found = 0
        """Index of the VMA that :meth:`find` found; another one has it after a change."""
        self._free = FreeRanges()
        self._free.set(LOWEST, USER_END - LOWEST)

    # Looking up.

    def find(self, va: int) -> Vma | None:
        """The VMA that holds ``va``, which is often that of the previous call."""
        if va >= USER_END:
            return None
        address, vmas = va, self.vmas
        if self._last_found < len(vmas):
            vma = vmas[self._last_found]
            if vma.start <= address < vma.end:
                return vma
        index = bisect_right(self._starts, va) - 1
        if index < 0:
            return None
        self._last_found = index
        vma = vmas[index]
        return vma if address < vma.end else None

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

    def find_gap(self, length: int, hint: int = 0, align: int = PAGE_SIZE) -> int:
        """Returns the start of ``length`` free bytes: ``hint``, or as high as possible; ENOMEM.

        Without a hint the start is a multiple of ``align`` if there is room for that.
        """
        hint = page_up(hint)
        if LOWEST <= hint <= USER_END - length and not self.overlapping(hint, hint + length):
            return hint
        if align > PAGE_SIZE and not hint:
            above = self._free.highest(length + align - PAGE_SIZE, self.mmap_top)
            if above is not None:
                return (above + align - PAGE_SIZE) & -align
        start = self._free.highest(length, self.mmap_top)
        if start is None:
            raise Errno(ENOMEM)
        return start

    def virtual_pages(self) -> int:
        return self.mapped_bytes // PAGE_SIZE

    def free_ranges(self) -> list[tuple[int, int]]:
        """(start, size) of each free range, in ascending order."""
        return self._free.items()

    # Changing the list.

    def _insert(self, vma: Vma) -> None:
        self.frames.budget.take(Kind.MAPPING, vma.cost)
        index = bisect_right(self._starts, vma.start)
        self.vmas.insert(index, vma)
        self._starts.insert(index, vma.start)
        add_users(vma.backing, 1)
        self._count(vma, 1)
        self._update_gap(index)
        self._update_gap(index + 1)

    def inherit(self, parent: VmaList) -> None:
        """Adds copies of another list's VMAs, except those that are not inherited (fork)."""
        vmas = [vma.inherited() for vma in parent.vmas if not vma.dont_fork]
        self.frames.budget.take(Kind.MAPPING, sum([vma.cost for vma in vmas]))
        self.vmas, self._starts = vmas, [vma.start for vma in vmas]
        for vma in vmas:
            add_users(vma.backing, 1)
            self._count(vma, 1)
        if len(vmas) == len(parent.vmas):
            self._free = parent._free.copy()
        else:
            for index in range(len(vmas) + 1):
                self._update_gap(index)

    def _remove(self, first: int, count: int) -> list[Vma]:
        """Removes VMAs by their index; the backings keep their users."""
        removed = self.vmas[first : first + count]
        del self.vmas[first : first + count]
        del self._starts[first : first + count]
        for vma in removed:
            self._count(vma, -1)
            self._free.set(vma.end, 0)
        self.frames.budget.give_back(Kind.MAPPING, sum(vma.cost for vma in removed))
        self._update_gap(first)
        return removed

    def _index(self, vma: Vma) -> int:
        return bisect_left(self._starts, vma.start)

    def _count(self, vma: Vma, sign: int) -> None:
        """Adds the VMA to the sizes, or with sign -1 takes it out."""
        size = sign * (vma.end - vma.start)
        self.mapped_bytes += size
        if vma.is_data:
            self.data_bytes += size
        if vma.locked:
            self.locked_bytes += size

    def _update_gap(self, index: int) -> None:
        """Records the free range below the VMA at ``index``, or above the last one."""
        start = self.vmas[index - 1].end if index else LOWEST
        end = self.vmas[index].gap_end if index < len(self.vmas) else USER_END
        self._free.set(start, end - start)

    def _resize(self, vma: Vma, start: int, end: int) -> None:
        """Moves the ends of a VMA, over ranges that are free."""
        index = self._index(vma)
        self._count(vma, -1)
        self._free.set(vma.end, 0)
        vma.start, vma.end = start, end
        self._starts[index] = start
        self._count(vma, 1)
        self._update_gap(index)
        self._update_gap(index + 1)

    def _change(
        self, start: int, end: int, changes: dict[str, Any], apply: Callable[[Vma], None]
    ) -> None:
        """Sets fields of the VMAs in [start, end), and calls ``apply`` for each that changed.

        ENOMEM when the limit of VMAs forbids a split; the VMAs below are then changed.
        """
        for vma in self.overlapping(start, end):
            if any(getattr(vma, field) != value for field, value in changes.items()):
                part = self._separate(vma, max(start, vma.start), min(end, vma.end), changes)
                self._count(part, -1)
                for field, value in changes.items():
                    setattr(part, field, value)
                self._count(part, 1)
                apply(part)
                self._join(part.start, part.end)

    def change_flags(self, start: int, end: int, cleared: VmFlag, added: VmFlag) -> None:
        """Changes the flags of the VMAs in [start, end); ENOMEM as :meth:`_change`."""
        for vma in self.overlapping(start, end):
            flags = vma.flags & ~cleared | added
            low, high = max(start, vma.start), min(end, vma.end)
            self._change(low, high, {"flags": flags}, lambda part: None)

    def _separate(self, vma: Vma, start: int, end: int, changes: dict[str, Any]) -> Vma:
        """Splits off [start, end) of a VMA, whose fields will change.

        A part that will be merged with its neighbour takes no VMA more, so it is not limited.
        """
        if start == vma.start and end == vma.end:
            return vma
        changed, index = replace(vma.part(start, end), **changes), self._index(vma)
        joins = (start == vma.start and index > 0 and self.vmas[index - 1].continues(changed)) or (
            end == vma.end
            and index + 1 < len(self.vmas)
            and changed.continues(self.vmas[index + 1])
        )
        self._split(start, limited=not joins)
        self._split(end, limited=not joins)
        part = self.find(start)
        assert part is not None
        return part

    def _check_limit(self) -> None:
        """Raises ENOMEM when no VMA can be added; mmap(2) may exceed the limit by one."""
        if len(self.vmas) > MAX_VMAS:
            raise Errno(ENOMEM)

    def _split(self, va: int, *, limited: bool = True) -> None:
        vma = self.find(va)
        if vma is None or vma.start == va:
            return
        if vma.in_huge_pages and va % HUGE_SIZE:
            raise Errno(EINVAL)
        if limited and len(self.vmas) >= MAX_VMAS:
            raise Errno(ENOMEM)
        self.frames.budget.take(Kind.MAPPING, vma.cost)
        upper = vma.part(va, vma.end)
        index = self._index(vma) + 1
        self.vmas.insert(index, upper)
        self._starts.insert(index, va)
        add_users(upper.backing, 1)
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
                self.vmas[index].has_private |= upper.has_private
                self.vmas[index].soft_dirty |= upper.soft_dirty
                add_users(upper.backing, -1)
            else:
                index += 1


def add_users(backing: Backing | None, change: int) -> None:
    if backing is not None:
        backing.users += change


def drop_user(vma: Vma, space: VmaList) -> None:
    """Ends the use of a VMA's backing by a VMA that ``space`` has removed."""
    backing = vma.backing
    if backing is not None:
        backing.unmapped(space, vma.index_of(vma.start), vma.index_of(vma.end))
        backing.users -= 1
        if not backing.users:
            backing.unused()
