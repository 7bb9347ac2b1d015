"""The values that a lab's functions take and return."""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import NamedTuple

SUPERPAGE_SIZE = 2 << 20
"""Size of the range that a leaf PTE at level 1 maps, in bytes."""


class Access(IntEnum):
    """Kind of a memory access."""

    FETCH = 0
    LOAD = 1
    STORE = 2


class Privilege(IntEnum):
    """Privilege mode of the hart: U or S."""

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
    """Exception that a failed translation raises."""

    PAGE = "page fault"
    ACCESS = "access fault"


class Translation(NamedTuple):
    """A translation that succeeded."""

    pa: int
    """Physical address, including the offset in the page."""
    pte: int
    """Leaf PTE, with A and D after the translation."""
    level: int
    """Level of the leaf: 0 for a page of 4 KiB, 1 for 2 MiB, 2 for 1 GiB."""


class Outcome(Enum):
    """Result of a page-fault handler."""

    COPIED = "copied"
    """The page has a new frame with the same bytes."""
    REUSED = "reused"
    """The page keeps its frame, which has no other user, and is writable now."""
    ZERO_FILLED = "zero-filled"
    """The page has a new frame of zeroes."""
    ZERO_SHARED = "zero-shared"
    """The page maps the shared frame of zeroes."""
    STACK_GROWN = "stack-grown"
    """The stack's mapping was extended, and the page zero-filled."""
    SPURIOUS = "spurious"
    """Nothing was changed: the PTE already allows the access."""
    NOT_MAPPED = "not-mapped"
    """No mapping contains the address: the process gets SIGSEGV."""
    NOT_ALLOWED = "not-allowed"
    """The mapping does not allow the access: the process gets SIGSEGV."""


class Mapping(NamedTuple):
    """A range [start, end) of a process's address space and its rights (a VMA)."""

    start: int
    end: int
    flags: int
    """Flags of a PTE for it: V, R, W, X, U and A."""
    grows_down: bool = False
    """The mapping is a stack, which may grow down to ``lowest``."""
    lowest: int = 0


class PteChange(NamedTuple):
    """A change of one PTE by the kernel, in one address space."""

    address: int
    """First address that the PTE, or the table it points to, maps."""
    level: int
    """Level of the table with the PTE: 0 maps 4 KiB, 1 maps 2 MiB, 2 maps 1 GiB."""
    asid: int
    """ASID of the address space."""
    before: int
    after: int
    harts: tuple[int, ...]
    """Harts whose TLBs may contain entries of the address space (of any, for a PTE that all
    share): those on which it ran since all its entries were flushed there.
    """
    here: int
    """Hart on which the kernel runs; it is in ``harts`` only if its TLB may contain entries."""


class Switch(NamedTuple):
    """A write of satp: the address space runs on the hart next."""

    hart: int
    asid: int
    """ASID in satp."""
    space: int
    """Number of the address space; unlike an ASID it is never reused."""
    last_space: int | None
    """Address space that this hart last ran with this ASID; None if there was none."""


class Fence(NamedTuple):
    """One sfence.vma: removes ``address`` of ``asid`` from the TLB of ``hart``; None means all.

    With an ASID, global translations remain; with an address, only the leaf PTE that maps it (at
    any level) is removed, and pointers remain.
    """

    hart: int
    asid: int | None = None
    address: int | None = None
