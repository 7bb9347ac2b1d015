"""Breakpoints: instructions that are reported to the observer before a thread executes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emu.machine.cause import Cause
from emu.machine.registers import PC
from emu.machine.trap import Trap

if TYPE_CHECKING:
    from kernel.process.process import Thread
    from kernel.process.state import KernelState


class Breakpoints:
    """Reports each execution of an instruction at a breakpoint once.

    The hart stops where a running program reaches a breakpoint. A thread can also start at one: at
    its creation, by exec, by a signal, or after a system call. An instruction that faults is
    executed again after the fault, and not reported again; so each thread's last report is stored.
    """

    def __init__(self, kernel: KernelState) -> None:
        self._kernel = kernel

    @property
    def addresses(self) -> frozenset[int]:
        """Virtual addresses, in all processes."""
        return self._kernel.hart.breakpoints

    def add(self, address: int) -> None:
        self._kernel.hart.breakpoints |= {address}

    def run(self, thread: Thread, count: int) -> Trap:
        """Runs the thread, whose registers are in the hart, to its next trap."""
        self._report(thread)
        hart = self._kernel.hart
        trap = hart.run(count)
        reported = thread.reported
        if reported is not None and (
            trap.cause == Cause.HART_BREAKPOINT or trap.epc != reported[1]
        ):
            thread.reported = None  # it was executed, and may be reached again
        return trap

    def _report(self, thread: Thread) -> None:
        hart = self._kernel.hart
        pc = hart.read(PC)
        here = hart.mmu.satp, pc
        if thread.reported == here:
            return
        thread.reported = None
        if pc in hart.breakpoints and self._kernel.observer is not None:
            thread.reported = here
            self._kernel.observer.reached(thread, pc)
