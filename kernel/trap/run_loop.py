"""The loop that runs threads, one at a time, and handles their traps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emu.machine.cause import Cause
from emu.machine.trap import Trap
from kernel.base.errors import Interrupted
from kernel.process.process import State, Thread
from kernel.process.scheduler import TRAPS_PER_TURN
from kernel.process.signal_delivery import deliver, needs_no_handler
from kernel.syscalls import dispatch
from kernel.syscalls.context import SyscallContext
from kernel.trap import handler
from kernel.trap.fast_path import KernelVector
from kernel.trap.trap_sampler import TrapSampler
from kernel.trap.unfinished import UnfinishedTrap

if TYPE_CHECKING:
    from collections.abc import Callable

    from kernel.process.state import KernelState
    from kernel.trap.breakpoints import Breakpoints

_INSTRUCTIONS_PER_SLICE = 1_000_000
_NS_PER_INSTRUCTION = 1
_NS_PER_TRAP = 1_000
"""Virtual time of the work of a deterministic machine. Half of a trap's is the kernel's."""


class Deadlock(Exception):
    """Every thread waits for an event that cannot occur; ``waits`` has a line for each."""

    def __init__(self, waits: list[str]) -> None:
        super().__init__("every process waits for ever:\n  " + "\n  ".join(waits))
        self.waits = waits


class Stopped(BaseException):
    """The run was ended from outside, with an exit status and a reason for the user, if not empty.

    An observer may raise it at a breakpoint. It may be raised anywhere, so it is not derived from
    Exception: code that handles all errors must not handle it.
    """

    def __init__(self, status: int, reason: str = "") -> None:
        super().__init__(reason)
        self.status = status


class RunLoop:
    """Runs a kernel's threads on its hart."""

    def __init__(
        self, kernel: KernelState, breakpoints: Breakpoints, check: Callable[[], None] | None
    ) -> None:
        self.kernel = kernel
        self._breakpoints = breakpoints
        self._check = check
        self._unfinished = UnfinishedTrap()
        self._sampler = TrapSampler(kernel.turn)
        self._vector = KernelVector(kernel, self._unfinished, self._sampler, check)
        self._slice = _INSTRUCTIONS_PER_SLICE if kernel.config.deterministic else 0
        if not self._slice:  # a virtual clock advances with each trap, in the loop
            kernel.hart.vector = self._vector

    def run(self) -> None:
        """Runs until every process has ended. Raises :class:`Deadlock` and :class:`Stopped`."""
        scheduler = self.kernel.scheduler
        while self.kernel.processes:
            if self.kernel.requests:
                self.kernel.run_requests()
            thread = scheduler.next()
            if thread is not None:
                self._turn(thread)
            elif not any(process.alive for process in self.kernel.processes.values()):
                break
            elif not scheduler.idle():
                raise Deadlock([_describe(waiting) for waiting in scheduler.waiting])

    def _turn(self, thread: Thread) -> None:
        """Runs one thread until it waits, ends, or its turn is over; accounts its CPU time."""
        kernel = self.kernel
        clocks = thread.counters.cpu, thread.process.counters.cpu, kernel.cpu
        kernel.turn.start()
        for clock in clocks:
            clock.start()
        try:
            self._run_thread(thread)
        finally:
            times = kernel.turn.times()
            for clock in clocks:
                clock.stop(*times)
            _count_switch(kernel, thread)

    def _run_thread(self, thread: Thread) -> None:
        kernel, scheduler = self.kernel, self.kernel.scheduler
        hart = kernel.hart
        context = self._vector.context = SyscallContext(kernel, thread)
        self._switch_to(thread)
        last = kernel.traps + TRAPS_PER_TURN
        while self._prepare(context):
            if self._check is not None:
                self._check()
            if hart.breakpoints:
                trap = self._breakpoints.run(thread, self._slice)
            else:
                trap = hart.run(self._slice)
            kernel.traps += 1
            if trap.cause is Cause.ECALL_FROM_U or kernel.traps > self._sampler.next_trap:
                self._measure(context, trap)
            else:
                handler.handle(context, trap, self._unfinished)
            gives_way, scheduler.need_resched = scheduler.need_resched, False
            self._run_events(thread, trap, gives_way)
            if gives_way or kernel.traps >= last:
                scheduler.poll_host()
                if scheduler.others_ready and thread.state is State.READY:
                    scheduler.add(thread)
                    return
                last = kernel.traps + TRAPS_PER_TURN

    def _measure(self, context: SyscallContext, trap: Trap) -> None:
        """Handles a trap, and adds its duration to the kernel's work."""
        is_call = trap.cause is Cause.ECALL_FROM_U
        clock = self.kernel.clock
        now = clock.monotonic if is_call else clock.cpu_time
        began = now()
        handler.handle(context, trap, self._unfinished)
        add = self._sampler.add_call if is_call else self._sampler.add_sample
        add(now() - began)

    def _run_events(self, thread: Thread, trap: Trap, gives_way: bool) -> None:
        """Advances a virtual clock, then runs requests from outside and due timers."""
        kernel = self.kernel
        if self._slice and trap.cause != Cause.HART_BREAKPOINT:
            if trap.cause == Cause.TIMER_INTERRUPT:
                work, kernel_ns = self._slice * _NS_PER_INSTRUCTION, 0
            else:
                work, kernel_ns = _NS_PER_TRAP, _NS_PER_TRAP // 2
            kernel.clock.advance(work)
            kernel.turn.kernel_ns += kernel_ns
        if kernel.requests:
            kernel.run_requests()
        if (self._slice or gives_way or not kernel.traps & 63) and kernel.timers:
            kernel.timers.run_due()
        if thread.process.cpu_timers:
            for timers in list(thread.process.cpu_timers.values()):
                timers.run_due()

    def _prepare(self, context: SyscallContext) -> bool:
        """Completes the call that waited and delivers signals; returns whether the thread runs."""
        thread = context.thread
        if thread.state is not State.READY:
            return False
        if thread.call is not None and not self._resume(context):
            return False
        if thread.deliverable:
            deliver(self.kernel, thread)
        if thread.saved_mask is not None:
            thread.mask, thread.saved_mask = thread.saved_mask, None
            if thread.deliverable:
                deliver(self.kernel, thread)
        if thread.process.stopped_by:
            self.kernel.scheduler.add(thread)
            return False
        return thread.state is State.READY

    def _resume(self, context: SyscallContext) -> bool:
        """Resumes the system call that waited; returns whether it is complete."""
        thread = context.thread
        if thread.deliverable and needs_no_handler(thread):
            # Killed, or stopped and later continued: no handler runs, so the call keeps waiting.
            deliver(self.kernel, thread)
            if thread.state is not State.READY:
                return False
            if thread.process.stopped_by:
                self.kernel.scheduler.add(thread)
                return False
        interruption = Interrupted() if thread.deliverable else None
        began = self.kernel.clock.monotonic()
        is_complete = dispatch.advance(context, interruption)
        self.kernel.turn.kernel_ns += self.kernel.clock.monotonic() - began
        return is_complete

    def _switch_to(self, thread: Thread) -> None:
        if self.kernel.current is not thread:
            if self.kernel.current is not None:
                self.kernel.hart.save(self.kernel.current.registers)
            self.kernel.hart.load(thread.registers)
            self.kernel.current = thread
        self.kernel.hart.set_satp(thread.process.space.table.satp)


def _count_switch(kernel: KernelState, thread: Thread) -> None:
    kernel.switches += 1
    for counters in (thread.counters, thread.process.counters):
        if thread.state is State.READY:
            counters.involuntary_switches += 1
        else:
            counters.voluntary_switches += 1


def _describe(thread: Thread) -> str:
    what = thread.wait.what if thread.wait is not None else "a signal to go on (it is stopped)"
    return f"{thread.process!r} waits for {what}"
