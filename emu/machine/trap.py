"""Traps: events that stop a hart, and the handler that may handle one without stopping it.

A trap is a value that :meth:`emu.machine.hart.Hart.run` returns, with the contents of the
supervisor trap registers of the privileged spec: scause, sepc, stval.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from emu.machine.cause import Access, Cause
from emu.machine.pte import PAGE_MASK
from emu.machine.sv39 import TranslationFault


class Trap:
    """One trap: ``cause``, ``epc`` and ``tval``.

    The engine reports only the page of a faulting address. Finding the exact address means
    decoding the instruction, so ``tval`` is computed when it is first read, which must be before
    the hart runs again; ``page`` is set from the start. ``fault`` is the MMU's description of a
    page or access fault.
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
        """False when reading ``tval`` decodes an instruction, which is then a load or store."""
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


class Vector(Protocol):
    """A trap handler that runs inside the engine's callbacks (compare stvec).

    It saves stopping and restarting the engine, which costs more than handling most traps. Any trap
    that it does not handle is returned by :meth:`Hart.run`. It must not run the hart, load
    registers, or change the code that the program executes.
    """

    def ecall(self, epc: int, number: int, arguments: list[int]) -> int | None:
        """The result, for a0, of the system call at ``epc``; None to have it returned as a trap."""

    def page_fault(self, page: int, access: Access) -> bool:
        """True if the page table now permits the access that faulted on ``page``."""
