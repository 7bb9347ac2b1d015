"""A CPU without instructions: it accesses the memory of address spaces through an MMU and a TLB.

The TLB drops entries only when it is flushed, so a right that was removed without a flush is still
usable here. Page faults go to the kernel's fault handler. The simulation and the tests of the
kernel use it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from emu.machine.cause import Access
from emu.machine.pte import PAGE_MASK, PAGE_SHIFT, D, R, W, X
from emu.machine.sv39 import Mmu, TranslationFault
from kernel.mm.address_space import AddressSpace
from kernel.mm.faults import fault
from kernel.mm.outcome import Outcome
from kernel.mm.resolution import Resolution

_ATTEMPTS = 4
"""Maximum number of attempts of an access: no handler needs as many faults."""
_RIGHTS = {Access.LOAD: R, Access.STORE: W | D, Access.FETCH: X}


class Killed(Exception):
    """A fault that the handler could not resolve: the process gets a signal."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class EndlessFault(Exception):
    """The access faults again after each fault that the handler reports as resolved."""

    def __init__(self, va: int, outcomes: list[str]) -> None:
        super().__init__(va, outcomes)
        self.va = va
        self.outcomes = outcomes


class _Entry(NamedTuple):
    frame: int
    pte: int


class Cpu:
    """``on_fault`` receives each resolution of a page fault."""

    def __init__(self, mmu: Mmu, on_fault: Callable[[Resolution], None]) -> None:
        self.mmu = mmu
        self.flushes = 0
        """Number of flushes of the TLB."""
        self._on_fault = on_fault
        self._tlb: dict[int, _Entry] = {}

    def flush(self) -> None:
        self.flushes += 1
        self._tlb.clear()

    def switch(self, space: AddressSpace) -> None:
        """Writes the space's satp, and flushes the TLB if it differs."""
        if self.mmu.satp != space.table.satp:
            self.mmu.satp = space.table.satp
            self.flush()

    def translate(self, space: AddressSpace, va: int, access: Access) -> int:
        """Physical address of ``va``, after the page faults of the access.

        Raises :class:`Killed` and :class:`EndlessFault`.
        """
        self.switch(space)
        outcomes: list[str] = []
        for _ in range(_ATTEMPTS):
            entry = self._tlb.get(va >> PAGE_SHIFT)
            if entry is not None and entry.pte & _RIGHTS[access] == _RIGHTS[access]:
                return entry.frame << PAGE_SHIFT | va & PAGE_MASK
            found = self.mmu.translate(va, access)
            if not isinstance(found, TranslationFault):
                self._tlb[va >> PAGE_SHIFT] = _Entry(found.pa >> PAGE_SHIFT, found.pte)
                return found.pa
            resolution = fault.handle(space, va, access)
            self._on_fault(resolution)
            if resolution.failed:
                raise Killed(resolution.outcome)
            outcomes.append(str(resolution.outcome))
        raise EndlessFault(va, outcomes)
