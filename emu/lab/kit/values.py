"""The values that a lab's functions take and return."""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import NamedTuple

SUPERPAGE_SIZE = 2 << 20
"""What a leaf PTE at level 1 maps, in bytes."""


class Access(IntEnum):
    """What an instruction wants of an address."""

    FETCH = 0
    LOAD = 1
    STORE = 2


class Privilege(IntEnum):
    """The mode of the hart: U or S."""

    USER = 0
    SUPERVISOR = 1


class Mode(NamedTuple):
    """The bits of the CSRs that a translation depends on."""

    privilege: Privilege = Privilege.USER
    sum: bool = False
    """sstatus.SUM: S-mode may load from and store to user pages."""
    mxr: bool = False
    """sstatus.MXR: a load may read a page that can only be executed."""


class Fault(Enum):
    """Which exception a failed translation raises."""

    PAGE = "page fault"
    ACCESS = "access fault"


class Translation(NamedTuple):
    """A translation that succeeded."""

    pa: int
    """The physical address, to the byte."""
    pte: int
    """The leaf PTE, with A and D as they are now."""
    level: int
    """The leaf's level: 0 for a page of 4 KiB, 1 for 2 MiB, 2 for 1 GiB."""


class Outcome(Enum):
    """What a fault handler did."""

    COPIED = "copied"
    """The page has a new frame with the same bytes."""
    REUSED = "reused"
    """The page keeps its frame, which nobody else uses, and may be written."""
    ZERO_FILLED = "zero-filled"
    """The page has a new frame of zeroes."""
    ZERO_SHARED = "zero-shared"
    """The page shows the frame of zeroes that everybody shares."""
    STACK_GROWN = "stack-grown"
    """The stack's mapping was extended, and the page zero-filled."""
    SPURIOUS = "spurious"
    """There was nothing to do: the page allows the access already."""
    NOT_MAPPED = "not-mapped"
    """The process has nothing there: it gets SIGSEGV."""
    NOT_ALLOWED = "not-allowed"
    """The mapping does not allow the access: the process gets SIGSEGV."""


class Mapping(NamedTuple):
    """A range [start, end) of a process's address space and its rights (a VMA)."""

    start: int
    end: int
    flags: int
    """The rights of a PTE for it: V, R, W, X, U and A as they are due."""
    grows_down: bool = False
    """The stack: it may grow to ``lowest``."""
    lowest: int = 0


class PteChange(NamedTuple):
    """One PTE that the kernel has just changed, in one address space."""

    address: int
    """The first address that it maps, or that the table it points to maps."""
    level: int
    """The level of the table that it is in: 0 maps 4 KiB, 1 maps 2 MiB, 2 maps 1 GiB."""
    asid: int
    """The address space's."""
    before: int
    after: int
    harts: tuple[int, ...]
    """The harts that may remember something of the address space (of every one, for a PTE that
    all share): those on which it ran since their TLBs forgot all of it.
    """
    here: int
    """The hart on which the kernel runs; whether that one may remember is in ``harts``."""


class Switch(NamedTuple):
    """A hart's satp has just been given an address space, which will run there next."""

    hart: int
    asid: int
    """The one in satp."""
    space: int
    """The number of the address space; numbers, unlike ASIDs, are never used again."""
    last_space: int | None
    """Which address space this hart last ran with this ASID; None when it never ran one."""


class Fence(NamedTuple):
    """One sfence.vma: ``hart`` forgets ``address`` of ``asid``, None for all.

    With an ASID it forgets no global translation; with an address no pointer, only the leaf PTE
    that maps it (of whatever level).
    """

    hart: int
    asid: int | None = None
    address: int | None = None
