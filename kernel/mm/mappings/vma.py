"""Virtual memory areas (VMAs): ranges of user addresses with one protection and source of pages."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import IntFlag
from operator import attrgetter
from typing import Final

from emu.machine import pte
from emu.machine.pte import PAGE_MASK, PAGE_SHIFT, PAGE_SIZE
from kernel.base.budget import Cost
from kernel.mm.backing.backing import Backing
from kernel.mm.backing.shared_memory import SharedMemory

USER_END: Final = 1 << 38
"""User addresses are [0, USER_END): the lower canonical half of Sv39."""
LOWEST: Final = 0x10000
"""mmap hands out, and MAP_FIXED accepts, nothing below this (vm.mmap_min_addr)."""
MAX_VMAS: Final = 65530
"""vm.max_map_count."""
STACK_GUARD: Final = 256 * PAGE_SIZE
"""Minimum gap below a growing stack (Linux's stack_guard_gap)."""

_COST: Final = int(Cost.MAPPING)
_SHARED_COST: Final = _COST + int(Cost.SHARED_MEMORY)


def page_up(value: int) -> int:
    return (value + PAGE_MASK) & ~PAGE_MASK


def page_down(value: int) -> int:
    return value & ~PAGE_MASK


class Prot(IntFlag):
    """Protection bits of mmap(2)."""

    NONE = 0
    READ = 1
    WRITE = 2
    EXEC = 4


class VmFlag(IntFlag):
    """Properties of a Vma that /proc/PID/smaps shows, with the bits of Linux's VM_ flags."""

    NONE = 0
    SEQUENTIAL = 0x8000
    RANDOM = 0x1_0000
    ACCOUNTED = 0x10_0000
    """It was private and writable, so its pages count as committed memory."""
    NO_RESERVE = 0x20_0000
    NO_DUMP = 0x400_0000
    HUGE = 0x2000_0000
    NO_HUGE = 0x4000_0000
    MERGEABLE = 0x8000_0000


@dataclass(slots=True, eq=False)
class Vma:
    """The range [start, end) with one protection and one source of pages.

    ``backing`` is None for private anonymous memory. ``offset`` is the byte in the backing that
    ``start`` maps. After fork each process has its own Vma.
    """

    start: int
    end: int
    prot: Prot
    shared: bool = False
    backing: Backing | None = None
    offset: int = 0
    name: str = ""
    grows_down: bool = False
    dont_fork: bool = False
    wipe_on_fork: bool = False
    locked: bool = False
    """True when it counts against RLIMIT_MEMLOCK (mlock(2))."""
    lock_on_fault: bool = False
    """True when its lock brings no page in (MLOCK_ONFAULT)."""
    may_write: bool = True
    """False when mprotect must not add WRITE: a shared mapping of a file opened read-only."""
    has_private: bool = False
    """True when it has, or may have had, private pages (Linux: it has an anon_vma)."""
    flags: VmFlag = VmFlag.NONE
    soft_dirty: bool = True
    """True when all its pages count as modified: it is new since a write to clear_refs."""

    @property
    def length(self) -> int:
        return self.end - self.start

    @property
    def cost(self) -> int:
        """Bytes charged for it, including the object of a shared mapping."""
        return (_SHARED_COST if self.shared else _COST) + len(self.name)

    @property
    def writable(self) -> bool:
        return bool(self.pte_flags & pte.W)

    @property
    def executable(self) -> bool:
        return bool(self.pte_flags & pte.X)

    @property
    def gap_end(self) -> int:
        """End of the free range below: a stack keeps a gap."""
        return self.start - (STACK_GUARD if self.grows_down else 0)

    @property
    def is_data(self) -> bool:
        """True when it counts against RLIMIT_DATA."""
        return self.writable and not self.shared and not self.grows_down

    def commits_under(self, prot: Prot) -> bool:
        """True when, with this protection, each page may need a frame of its own."""
        if self.shared or self.flags & VmFlag.NO_RESERVE:
            return False
        return bool(prot & Prot.WRITE)

    @property
    def in_huge_pages(self) -> bool:
        """True for a mapping with MAP_HUGETLB."""
        return self.backing is not None and self.backing.in_huge_pages

    @property
    def is_special(self) -> bool:
        """True for the kernel's own page in user memory, which is never locked."""
        return not self.shared and isinstance(self.backing, SharedMemory)

    @property
    def becomes_data(self) -> bool:
        """True when it would count against RLIMIT_DATA if it were writable."""
        return not self.writable and not self.shared and not self.grows_down

    @property
    def rights_text(self) -> str:
        """Permissions as in /proc/PID/maps, such as ``rw-p``."""
        bits = ((Prot.READ, "r"), (Prot.WRITE, "w"), (Prot.EXEC, "x"))
        rights = "".join(letter if self.prot & bit else "-" for bit, letter in bits)
        return rights + ("s" if self.shared else "p")

    @property
    def pte_flags(self) -> int:
        """PTE flags of a page with all permissions of the Vma, accessed but not dirty."""
        return _PTE_FLAGS[self.prot]

    def index_of(self, va: int) -> int:
        """Page number of ``va`` in the backing."""
        return (self.offset + va - self.start) >> PAGE_SHIFT

    def part(self, start: int, end: int) -> Vma:
        """A copy of the range [start, end) of this Vma."""
        return replace(self, start=start, end=end, offset=self._offset_at(start))

    def inherited(self) -> Vma:
        """A copy for a child of fork(2), which inherits no lock."""
        copy = Vma(*_VALUES(self))
        copy.locked = copy.lock_on_fault = False
        copy.has_private = self.has_private and not self.wipe_on_fork
        return copy

    def _offset_at(self, va: int) -> int:
        return self.offset + va - self.start if self.backing is not None else 0

    def continues(self, other: Vma) -> bool:
        """Returns whether ``other``, which follows, can be merged with this one."""
        return (
            self.end == other.start
            and self.prot == other.prot
            and self.shared == other.shared
            and self.backing is other.backing
            and (self.backing is None or self.offset + self.length == other.offset)
            and self.name == other.name
            and not self.grows_down
            and not other.grows_down
            and self.dont_fork == other.dont_fork
            and self.wipe_on_fork == other.wipe_on_fork
            and self.locked == other.locked
            and self.lock_on_fault == other.lock_on_fault
            and self.may_write == other.may_write
            and self.flags == other.flags
        )


_VALUES: Final = attrgetter(*(each.name for each in fields(Vma)))


def _flags(prot: Prot) -> int:
    if not prot:
        return pte.V | pte.R | pte.A  # present, but not accessible in U-mode
    flags = pte.V | pte.U | pte.A
    if prot & (Prot.READ | Prot.WRITE):
        flags |= pte.R  # W without R is a reserved encoding, so WRITE implies R
    if prot & Prot.WRITE:
        flags |= pte.W
    if prot & Prot.EXEC:
        flags |= pte.X
    return flags


_PTE_FLAGS: Final = tuple(_flags(Prot(bits)) for bits in range(8))
