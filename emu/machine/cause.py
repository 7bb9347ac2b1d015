"""Causes of traps and kinds of accesses (privileged spec, "Supervisor Cause (scause) Register")."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

_INTERRUPT: Final = 1 << 63


class Cause(IntEnum):
    """Value of scause."""

    FETCH_MISALIGNED = 0
    FETCH_ACCESS_FAULT = 1
    ILLEGAL_INSTRUCTION = 2
    BREAKPOINT = 3
    LOAD_MISALIGNED = 4
    LOAD_ACCESS_FAULT = 5
    STORE_MISALIGNED = 6
    STORE_ACCESS_FAULT = 7
    ECALL_FROM_U = 8
    FETCH_PAGE_FAULT = 12
    LOAD_PAGE_FAULT = 13
    STORE_PAGE_FAULT = 15
    HART_BREAKPOINT = 24
    """The hart reached one of its breakpoints. Not an exception of the program, hence one of the
    causes that the spec designates for custom use."""
    TIMER_INTERRUPT = _INTERRUPT | 5


PAGE_FAULTS: Final = frozenset(
    (Cause.FETCH_PAGE_FAULT, Cause.LOAD_PAGE_FAULT, Cause.STORE_PAGE_FAULT)
)


class Access(IntEnum):
    """Kind of an access to memory, which selects the cause of the exception that it raises."""

    FETCH = 0
    LOAD = 1
    STORE = 2

    @property
    def page_fault(self) -> Cause:
        return _PAGE_FAULT[self]

    @property
    def access_fault(self) -> Cause:
        return _ACCESS_FAULT[self]


_PAGE_FAULT: Final = (Cause.FETCH_PAGE_FAULT, Cause.LOAD_PAGE_FAULT, Cause.STORE_PAGE_FAULT)
_ACCESS_FAULT: Final = (Cause.FETCH_ACCESS_FAULT, Cause.LOAD_ACCESS_FAULT, Cause.STORE_ACCESS_FAULT)

ACCESS_OF_CAUSE: Final = {
    **{access.page_fault: access for access in Access},
    **{access.access_fault: access for access in Access},
}
