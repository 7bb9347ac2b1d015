"""Instructions of which an observer wants to hear before a thread runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from emu.machine.cause import Cause
from emu.machine.registers import PC
from emu.machine.trap import Trap

if TYPE_CHECKING:
    from kernel.process.process import Thread
    from kernel.process.state import KernelState


class Breakpoints:
    """Tells the observer once each time that a thread is about to run such an instruction.

    The hart stops where a running program comes to one. A thread can also be put before one: at its
    start, by exec, by a signal, or behind a system call. And one that faults is run again when the
    kernel has handled the fault, which is not a second time. So each thread's last one is kept.
    """

    def __init__(self, kernel: KernelState) -> None:
        self._kernel = kernel
        self._told: WeakKeyDictionary[Thread, tuple[int, int]] = WeakKeyDictionary()
        """The address space and the pc of what a thread stands at, when the observer knows."""

    @property
    def addresses(self) -> frozenset[int]:
        """Virtual addresses, in all processes."""
        return self._kernel.hart.breakpoints

    def add(self, address: int) -> None:
        self._kernel.hart.breakpoints |= {address}

    def run(self, thread: Thread, count: int) -> Trap:
        """Runs the thread, whose registers the hart has, to its next trap."""
        self._look(thread)
        hart = self._kernel.hart
        trap = hart.run(count)
        told = self._told.get(thread)
        if told is not None and (trap.cause == Cause.HART_BREAKPOINT or trap.epc != told[1]):
            del self._told[thread]  # it has been run, and may be come to again
        return trap

    def _look(self, thread: Thread) -> None:
        hart = self._kernel.hart
        pc = hart.read(PC)
        here = hart.mmu.satp, pc
        if self._told.get(thread) == here:
            return
        self._told.pop(thread, None)
        if pc in hart.breakpoints and self._kernel.observer is not None:
            self._told[thread] = here
            self._kernel.observer.reached(thread, pc)
