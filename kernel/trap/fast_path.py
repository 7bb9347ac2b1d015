"""The fast path: traps handled in the engine's hook, without leaving the emulation.

Stopping and restarting the engine costs more than most system calls and most page faults.
Other traps (a call that waits, forks, ends a process or makes a signal deliverable; a fault that
fails) are left to the run loop, where the hart's registers can be exchanged. So is every 64th trap,
so that the loop runs timers, other processes and requests of the host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emu.machine.cause import Access
from kernel.process.observer import Fault
from kernel.process.process import Thread
from kernel.syscalls import dispatch
from kernel.syscalls.table import TABLE
from kernel.trap import handler

if TYPE_CHECKING:
    from collections.abc import Callable

    from kernel.process.state import KernelState
    from kernel.syscalls.context import SyscallContext
    from kernel.trap.trap_sampler import TrapSampler
    from kernel.trap.unfinished import UnfinishedTrap

_LOOP_EVERY: Final = 64
_IN_LOOP: Final = {
    *("clone", "clone3", "execve", "execveat", "exit", "exit_group"),
    *("rt_sigreturn", "restart_syscall", "riscv_flush_icache", "sched_yield"),
}
"""System calls that exchange the hart's registers or its program."""
_IN_HOOK: Final = frozenset(number for number, row in TABLE.items() if row.name not in _IN_LOOP)


class KernelVector:
    """Implements :class:`emu.machine.trap.Vector`."""

    def __init__(
        self,
        kernel: KernelState,
        unfinished: UnfinishedTrap,
        sampler: TrapSampler,
        check: Callable[[], None] | None,
    ) -> None:
        self._kernel = kernel
        self._unfinished = unfinished
        self._check = check
        self.context: SyscallContext | None = None
        """Context of the running thread."""
        self._now = kernel.clock.cpu_time
        self._sampler = sampler
        self._began = 0
        """Time at which the present trap began, if it is measured, else 0."""
        self._checkpoint = 0
        """Number of the first trap that may be measured, or be left to the loop."""

    def ecall(self, epc: int, number: int, arguments: list[int]) -> int | None:
        kernel = self._kernel
        context = self.context
        if number not in _IN_HOOK or context is None or self._loop_is_due():
            return None
        thread = context.thread
        result = dispatch.begin(context, epc, number, arguments)
        if not isinstance(result, int) or not self._may_continue(thread):
            self._unfinished.pending_result = (result,)
            self._began = 0
            return None
        kernel.traps += 1
        if self._began:
            self._end_sample()
        if kernel.call_observer is not None:
            kernel.call_observer.call_left(thread, number, arguments, result)
        if self._check is not None:
            self._check()
        return result

    def page_fault(self, page: int, access: Access) -> bool:
        kernel = self._kernel
        thread = kernel.current
        observer = kernel.observer
        trap = None if observer is None else kernel.hart.offered_trap()
        if thread is None or (observer is not None and trap is None) or self._loop_is_due():
            return False
        resolution = handler.resolve(kernel, thread, page, access)
        if resolution.failed or kernel.ram.code_is_stale:
            self._unfinished.pending_fault = resolution
            self._began = 0
            return False
        if observer is not None:
            observer.fault(Fault(thread, thread.process.space, resolution, trap))
        if kernel.disk.waited:
            kernel.count_fault(thread)
        else:  # the same, without a call
            thread.counters.faults += 1
            thread.process.counters.faults += 1
        kernel.traps += 1
        if self._began:
            self._end_sample()
        if self._check is not None:
            self._check()
        return True

    def _loop_is_due(self) -> bool:
        kernel = self._kernel
        if kernel.traps >= self._checkpoint and self._pass_checkpoint():
            return True
        return bool(kernel.requests)

    def _pass_checkpoint(self) -> bool:
        """Begins a measurement, or returns whether the trap is left to the loop."""
        traps = self._kernel.traps
        loop_trap = ((traps + 1) // _LOOP_EVERY + 1) * _LOOP_EVERY - 1
        self._checkpoint = min(loop_trap, max(self._sampler.next_trap, traps + 1))
        if not (traps + 1) % _LOOP_EVERY:
            return True
        if traps >= self._sampler.next_trap:
            self._began = self._now()
        return False

    def _end_sample(self) -> None:
        self._sampler.add_sample(self._now() - self._began)
        self._began = 0

    def _may_continue(self, thread: Thread) -> bool:
        """Returns whether the program continues after a system call with no further action."""
        return (
            not thread.deliverable
            and thread.saved_mask is None
            and not self._kernel.ram.code_is_stale
        )
