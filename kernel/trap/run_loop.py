"""The loop that lets threads run, one at a time, and answers their traps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emu.machine.cause import Cause
from emu.machine.trap import Trap
from kernel.base.errors import Interrupted
from kernel.process.process import State, Thread
from kernel.process.scheduler import TRAPS_PER_TURN
from kernel.syscalls import dispatch
from kernel.trap import handler
from kernel.trap.fast_path import KernelVector

if TYPE_CHECKING:
    from kernel.kernel import Kernel

_INSTRUCTIONS_PER_SLICE = 1_000_000
_NS_PER_INSTRUCTION = 1
_NS_PER_TRAP = 1_000
"""What a deterministic machine takes its work to last."""


class Deadlock(Exception):
    """Every thread waits for something that can't happen; ``waits`` has a line for each."""

    def __init__(self, waits: list[str]) -> None:
        super().__init__("every process waits for ever:\n  " + "\n  ".join(waits))
        self.waits = waits


class Stopped(BaseException):
    """The run was ended from outside, with the exit status to give.

    An observer may raise it when a breakpoint is reached. Without a reason nobody is told of it. It
    may be raised anywhere, so it is no Exception: code that handles every error must not handle it.
    """

    def __init__(self, status: int, reason: str = "") -> None:
        super().__init__(reason)
        self.status = status


class RunLoop:
    """Runs a kernel's threads on its hart."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._slice = _INSTRUCTIONS_PER_SLICE if kernel.config.deterministic else 0
        if not self._slice:  # a virtual clock moves with each trap, in the loop
            kernel.hart.vector = KernelVector(kernel)

    def run(self) -> None:
        """Runs until every process has ended. Raises :class:`Deadlock` and :class:`Stopped`."""
        scheduler = self.kernel.scheduler
        while self.kernel.processes:
            if self.kernel.attention is not None:
                self.kernel.attend()
            thread = scheduler.next()
            if thread is not None:
                self._turn(thread)
            elif not any(process.alive for process in self.kernel.processes.values()):
                break
            elif not scheduler.idle():
                raise Deadlock([_describe(waiting) for waiting in scheduler.waiting])

    def _turn(self, thread: Thread) -> None:
        """Lets one thread run until it waits, ends, or has had its turn."""
        began = self.kernel.clock.monotonic()
        thread.cpu.start(began)
        thread.process.cpu.start(began)
        try:
            self._let_run(thread)
        finally:
            ended = self.kernel.clock.monotonic()
            thread.cpu.stop(ended)
            thread.process.cpu.stop(ended)

    def _let_run(self, thread: Thread) -> None:
        kernel = self.kernel
        self._switch_to(thread)
        last = kernel.traps + TRAPS_PER_TURN
        while self._prepare(thread):
            if kernel.config.check:
                kernel.check_memory()
            if kernel.breakpoints.addresses:
                trap = kernel.breakpoints.run(thread, self._slice)
            else:
                trap = kernel.hart.run(self._slice)
            kernel.traps += 1
            gives_way = handler.handle(kernel, thread, trap)
            self._let_time_pass(thread, trap, gives_way)
            if gives_way or kernel.traps >= last:
                kernel.scheduler.poll_host()
                if kernel.scheduler.others_ready and thread.state is State.READY:
                    kernel.scheduler.add(thread)
                    return
                last = kernel.traps + TRAPS_PER_TURN

    def _let_time_pass(self, thread: Thread, trap: Trap, gives_way: bool) -> None:
        """Moves a virtual clock, hears the host, and runs the timers that are due."""
        kernel = self.kernel
        if self._slice and trap.cause != Cause.HART_BREAKPOINT:
            sliced = trap.cause == Cause.TIMER_INTERRUPT
            kernel.clock.advance(self._slice * _NS_PER_INSTRUCTION if sliced else _NS_PER_TRAP)
        if kernel.attention is not None:
            kernel.attend()
        if kernel.timers and (self._slice or gives_way or not kernel.traps & 63):
            kernel.timers.run_due()
        if thread.process.cpu_timers:
            thread.process.cpu_timers.run_due()

    def _prepare(self, thread: Thread) -> bool:
        """Finishes what the thread waited for and delivers its signals; whether it can run."""
        if thread.state is not State.READY:
            return False
        if thread.call is not None and not self._resume(thread):
            return False
        if thread.deliverable:
            self.kernel.signals.deliver(thread)
        if thread.saved_mask is not None:
            thread.mask, thread.saved_mask = thread.saved_mask, None
            if thread.deliverable:
                self.kernel.signals.deliver(thread)
        if thread.process.stopped_by:
            self.kernel.scheduler.add(thread)
            return False
        return thread.state is State.READY

    def _resume(self, thread: Thread) -> bool:
        """Goes on with the system call that had to wait; whether it has come to its end."""
        if thread.deliverable and self.kernel.signals.needs_no_handler(thread):
            # Killed, or stopped and later continued: no handler runs, so the call just waits on.
            self.kernel.signals.deliver(thread)
            if thread.state is not State.READY:
                return False
            if thread.process.stopped_by:
                self.kernel.scheduler.add(thread)
                return False
        interruption = Interrupted() if thread.deliverable else None
        return dispatch.advance(self.kernel, thread, interruption)

    def _switch_to(self, thread: Thread) -> None:
        if self.kernel.current is not thread:
            if self.kernel.current is not None:
                self.kernel.hart.save(self.kernel.current.registers)
            self.kernel.hart.load(thread.registers)
            self.kernel.current = thread
        self.kernel.hart.set_satp(thread.process.space.table.satp)


def _describe(thread: Thread) -> str:
    what = thread.wait.what if thread.wait is not None else "a signal to go on (it is stopped)"
    return f"{thread.process!r} waits for {what}"
