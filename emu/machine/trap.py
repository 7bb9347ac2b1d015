"""Traps: why a hart stopped running its program.

A trap is a value that :meth:`emu.machine.hart.Hart.run` returns. Its parts are those of the
privileged spec's supervisor trap registers: scause, sepc, stval.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING

from emu.machine.pte import PAGE_MASK

if TYPE_CHECKING:
    from emu.machine.sv39 import TranslationFault

_INTERRUPT = 1 << 63


class Cause(IntEnum):
    """scause (privileged spec, "Supervisor Cause (scause) Register")."""

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
    """The hart has come to one of its breakpoints: no exception of the program's, so the cause is
    of those that the spec leaves to custom use."""
    TIMER_INTERRUPT = _INTERRUPT | 5


PAGE_FAULTS = frozenset((Cause.FETCH_PAGE_FAULT, Cause.LOAD_PAGE_FAULT, Cause.STORE_PAGE_FAULT))


class Access(IntEnum):
    """What the program wanted of an address; the value picks the exception's cause."""

    FETCH = 0
    LOAD = 1
    STORE = 2

    @property
    def page_fault(self) -> Cause:
        return _PAGE_FAULT[self]

    @property
    def access_fault(self) -> Cause:
        return _ACCESS_FAULT[self]


_PAGE_FAULT = (Cause.FETCH_PAGE_FAULT, Cause.LOAD_PAGE_FAULT, Cause.STORE_PAGE_FAULT)
_ACCESS_FAULT = (Cause.FETCH_ACCESS_FAULT, Cause.LOAD_ACCESS_FAULT, Cause.STORE_ACCESS_FAULT)

ACCESS_OF_CAUSE = {
    **{access.page_fault: access for access in Access},
    **{access.access_fault: access for access in Access},
}


class Trap:
    """One trap: ``cause``, ``epc`` and ``tval``.

    The engine tells only the page of a faulting address. The exact address costs a look at the
    instruction, so it is found when somebody asks for ``tval``, which must be before the hart
    runs on; ``page`` is known from the start. ``fault`` is the MMU's account of a page or access
    fault.
    """

    __slots__ = ("_find_tval", "_tval", "cause", "epc", "fault", "page")

    def __init__(
        self,
        cause: Cause,
        epc: int,
        tval: int = 0,
        fault: TranslationFault | None = None,
        find_tval: Callable[[Trap], int] | None = None,
    ) -> None:
        self.cause = cause
        self.epc = epc
        self.page = tval & ~PAGE_MASK
        self.fault = fault
        self._tval = tval
        self._find_tval = find_tval

    @property
    def tval_is_known(self) -> bool:
        """Whether ``tval`` costs nothing; else the trap is a load's or store's."""
        return self._find_tval is None

    @property
    def tval(self) -> int:
        """The faulting virtual address, or the bits of an illegal instruction."""
        if self._find_tval is not None:
            self._tval = self._find_tval(self)
            self._find_tval = None
        return self._tval

    def __repr__(self) -> str:
        return f"Trap({self.cause.name}, epc={self.epc:#x}, tval={self.tval:#x})"
