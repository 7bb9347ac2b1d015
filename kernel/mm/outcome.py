"""Outcomes of page faults, and the record of how one was resolved."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from emu.machine.cause import Access


class Outcome(StrEnum):
    """What the page-fault handler did."""

    ZERO_SHARED = "zero_shared"
    """A read of untouched anonymous memory: the zero frame."""
    ZERO_FILLED = "zero_filled"
    """A frame of zeroes of the process's own."""
    STACK_GROWN = "stack_grown"
    """The stack's VMA was extended, and the page zero-filled."""
    FILE = "file"
    """A page of a file, from the page cache."""
    FILE_COPIED = "file_copied"
    """A store to a private mapping of a file: a private copy of the cache's page."""
    SHARED = "shared"
    """A page of a shared mapping."""
    COPIED = "copied"
    """A store to a page that fork had shared: a copy of the frame."""
    REUSED = "reused"
    """A store to a page that fork had shared, by the frame's last user: no copy."""
    SPURIOUS = "spurious"
    """The PTE already allows the access, or lacked only A or D."""
    SEGV_MAPERR = "segv_maperr"
    """Nothing is mapped there: SIGSEGV."""
    SEGV_ACCERR = "segv_accerr"
    """The mapping forbids the access: SIGSEGV."""
    BUS_ADRERR = "bus_adrerr"
    """The mapping lies beyond its file's end: SIGBUS."""
    OUT_OF_MEMORY = "out_of_memory"
    """No frame was left."""


FAILURES = frozenset(
    (Outcome.SEGV_MAPERR, Outcome.SEGV_ACCERR, Outcome.BUS_ADRERR, Outcome.OUT_OF_MEMORY)
)


@dataclass(slots=True)
class Resolution:
    """How one fault was resolved: the PTE before and after, and the frame's reference count before.

    When it failed, ``pte_after`` is ``pte_before``.
    """

    outcome: Outcome
    va: int
    access: Access
    pte_before: int
    pte_after: int
    count_before: int
    table_copied: bool = False
    """True when the page's leaf table was shared and had to be copied first."""

    @property
    def failed(self) -> bool:
        return self.outcome in FAILURES
