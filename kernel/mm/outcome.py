"""Outcomes of page faults."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Outcome(StrEnum):
    """The result of a page fault; the value is the name in traces and counters."""

    label: str
    """A short name, for a line or a legend."""
    number: int
    """Position among the outcomes."""
    is_failure: bool
    """True when the page is as it was before."""
    meaning: str
    """A sentence for a table or a tooltip; with the value, at most 80 columns in a summary."""

    def __new__(cls, value: str, label: str = "", meaning: str = "") -> Self:
        outcome = str.__new__(cls, value)
        outcome._value_, outcome.label, outcome.meaning = value, label, meaning
        return outcome

    ZERO_SHARED = (
        "zero_shared",
        "zero page mapped",
        "read of untouched anonymous memory: zero page mapped",
    )
    ZERO_FILLED = "zero_filled", "zero-filled", "new page of zeroes"
    STACK_GROWN = "stack_grown", "stack grown", "stack extended, with a new page of zeroes"
    FILE = "file", "file page mapped", "page of a file, mapped from the page cache"
    FILE_COPIED = (
        "file_copied",
        "file page copied",
        "store to a private mapping of a file: page copied",
    )
    SHARED = "shared", "shared page mapped", "page of a shared mapping"
    COPIED = "copied", "copied", "store to a page shared by fork: page copied"
    REUSED = "reused", "reused", "store to a page shared by fork, by its last user: no copy"
    SPURIOUS = (
        "spurious",
        "already mapped",
        "PTE already allowed the access, or lacked only A or D",
    )
    SEGV_MAPERR = "segv_maperr", "SIGSEGV (nothing mapped)", "SIGSEGV: nothing is mapped there"
    SEGV_ACCERR = "segv_accerr", "SIGSEGV (not allowed)", "SIGSEGV: the mapping does not allow it"
    BUS_ADRERR = (
        "bus_adrerr",
        "SIGBUS (beyond the file's end)",
        "SIGBUS: beyond the file's end, or no room for the page",
    )
    OUT_OF_MEMORY = "out_of_memory", "out of memory", "no free frame"


FAILURES = frozenset(
    (Outcome.SEGV_MAPERR, Outcome.SEGV_ACCERR, Outcome.BUS_ADRERR, Outcome.OUT_OF_MEMORY)
)
for _number, _outcome in enumerate(Outcome):
    _outcome.number = _number
    _outcome.is_failure = _outcome in FAILURES
