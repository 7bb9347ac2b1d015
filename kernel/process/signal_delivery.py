"""Sending and delivering signals (signal(7))."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from emu.machine.registers import A0, PC, SP
from kernel.base.errors import Errno, OutOfMemory
from kernel.base.resource_limits import Resource
from kernel.process import signal_frame
from kernel.process.process import ChildEvent, Process, Thread
from kernel.process.signals import (
    CLD_CONTINUED,
    CLD_STOPPED,
    FIRST_REALTIME,
    SA_NOCLDSTOP,
    SA_NODEFER,
    SA_ONSTACK,
    SA_RESETHAND,
    SA_RESTART,
    SI_KERNEL,
    SI_USER,
    SIG_DFL,
    SIG_IGN,
    UNBLOCKABLE,
    Action,
    Default,
    Pending,
    Queued,
    Sig,
    SigInfo,
    bit,
    cancelled_by,
    default_action,
    of_child,
)

if TYPE_CHECKING:
    from kernel.kernel import Kernel

CORE_DUMPED = 0x80
"""The bit of a wait status; no core is ever written, so it is never set."""


class Signals:
    """The kernel's signal machinery."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.queued = Queued()

    # Sending. Returns False when a real-time signal exceeds the limit of queued signals.

    def send_process(self, process: Process, info: SigInfo) -> bool:
        """To whichever thread does not block it."""
        if not process.alive or not process.threads:
            return True
        self._before_sending(process, info.signo)
        blocked_by_all = all(t.mask & bit(info.signo) for t in process.threads.values())
        if process.handlers.ignores(info.signo) and not blocked_by_all:
            return True
        if not _queue(process, process.pending, info):
            return False
        process.signalled.wake()
        for thread in process.threads.values():
            if not thread.mask & bit(info.signo):
                thread.wake()
                break
        return True

    def send_thread(self, thread: Thread, info: SigInfo) -> bool:
        process = thread.process
        if not process.alive:
            return True
        self._before_sending(process, info.signo)
        blocked = thread.mask & bit(info.signo)
        if process.handlers.ignores(info.signo) and not blocked:
            return True
        if not _queue(process, thread.pending, info):
            return False
        process.signalled.wake()
        if not blocked:
            thread.wake()
        return True

    def stop_group(self, thread: Thread, signo: int) -> bool:
        """Sends a terminal's stop signal to the thread's process group. False if it would be of no
        use: the thread blocks or ignores it, or no shell is left to continue the group.
        """
        mine = thread.process
        group = [p for p in self._kernel.processes.values() if p.alive and p.pgid == mine.pgid]
        if thread.mask & bit(signo) or mine.handlers.ignores(signo):
            return False
        if not any(_has_shell(process) for process in group):
            return False
        for process in group:
            self.send_process(process, SigInfo(signo, SI_KERNEL))
        return True

    def force(self, thread: Thread, info: SigInfo) -> None:
        """From a fault of the thread itself: it can be caught, but not blocked or ignored."""
        action = thread.process.handlers.get(info.signo)
        if thread.mask & bit(info.signo) or action.handler == SIG_IGN:
            thread.process.handlers.actions.pop(info.signo, None)
            thread.mask &= ~bit(info.signo)
        thread.pending.add(info)

    def _before_sending(self, process: Process, signo: int) -> None:
        cancelled = cancelled_by(signo)
        if cancelled:
            process.pending.drop(cancelled)
            for thread in process.threads.values():
                thread.pending.drop(cancelled)
        if signo in (Sig.CONT, Sig.KILL) and process.stopped_by:
            process.stopped_by = 0
            if process.event is ChildEvent.STOPPED:
                process.event = None
            for thread in process.threads.values():
                thread.wake()
            if signo == Sig.CONT:
                self._tell_parent(process, ChildEvent.CONTINUED, CLD_CONTINUED, Sig.CONT)

    def _tell_parent(self, process: Process, event: ChildEvent, code: int, status: int) -> None:
        process.event = event
        parent = process.parent
        if parent is None:
            return
        if not parent.handlers.get(Sig.CHLD).flags & SA_NOCLDSTOP:
            self.send_process(parent, of_child(code, process.pid, process.fs.who.uid, status))
        parent.child_changed.wake()

    # Delivering, always to the thread whose registers the hart holds.

    def deliver(self, thread: Thread, *, interrupted: bool = False) -> None:
        """Acts on every signal that is deliverable; a later handler's frame lies on top, so that it
        runs first, as in Linux.

        ``interrupted`` says that a system call was broken off for it and has to be started again,
        or to end with EINTR when a handler without SA_RESTART runs.
        """
        while thread.deliverable and thread.process.alive:
            wanted = ~thread.mask
            info = thread.pending.take(wanted) or thread.process.pending.take(wanted)
            if info is None:
                break
            action = thread.process.handlers.get(info.signo)
            if action.handler not in (SIG_DFL, SIG_IGN):
                if interrupted:
                    self._end_call(thread, restart=bool(action.flags & SA_RESTART))
                    interrupted = False
                self._run_handler(thread, info, action)
                continue
            if action.handler == SIG_DFL:
                self._default(thread, info)
            if thread.process.stopped_by:
                break
        if interrupted and thread.process.alive:
            self._end_call(thread, restart=True)

    def needs_no_handler(self, thread: Thread) -> bool:
        """Whether what is deliverable now is a matter of default actions only."""
        if thread.deliverable & bit(Sig.KILL):
            return True
        return not any(
            thread.deliverable & bit(signo) and action.handler not in (SIG_DFL, SIG_IGN)
            for signo, action in thread.process.handlers.actions.items()
        )

    def will_kill(self, thread: Thread) -> bool:
        """True when a signal that is deliverable now ends the process."""
        return any(
            thread.deliverable & bit(signo)
            and thread.process.handlers.get(signo).handler == SIG_DFL
            and default_action(signo) in (Default.TERMINATE, Default.CORE)
            for signo in range(1, thread.deliverable.bit_length() + 1)
        )

    def _end_call(self, thread: Thread, *, restart: bool) -> None:
        hart = self._kernel.hart
        if restart:
            pc, a0 = thread.call_start
            hart.write(PC, pc)
            hart.write(A0, a0)
        else:
            hart.write(A0, -errno.EINTR)

    def _default(self, thread: Thread, info: SigInfo) -> None:
        process = thread.process
        kind = default_action(info.signo)
        if kind in (Default.STOP, Default.TERMINATE, Default.CORE) and self._kernel.observer:
            self._kernel.observer.signalled(thread, info.signo)
        if kind is Default.STOP:
            process.stopped_by = info.signo
            self._tell_parent(process, ChildEvent.STOPPED, CLD_STOPPED, info.signo)
        elif kind in (Default.TERMINATE, Default.CORE):
            self._kernel.lifecycle.exit_process(process, info.signo)

    def _run_handler(self, thread: Thread, info: SigInfo, action: Action) -> None:
        if self._kernel.observer is not None:
            self._kernel.observer.signalled(thread, info.signo)
        hart, registers = self._kernel.hart, thread.registers
        hart.save(registers)
        top, stack = registers[SP], thread.alt_stack
        if action.flags & SA_ONSTACK and stack.size and not stack.holds(top):
            top = stack.sp + stack.size
        mask = thread.mask if thread.saved_mask is None else thread.saved_mask
        thread.saved_mask = None
        try:
            frame = signal_frame.push(thread.mem, registers, info, mask, stack, top)
        except Errno:
            # No room for the frame: the signal that can't be taken becomes a deadly SIGSEGV.
            self._kernel.lifecycle.exit_process(thread.process, Sig.SEGV)
            return
        except OutOfMemory:
            self._kernel.kill_for_memory(thread)
            return
        signal_frame.enter(registers, action.handler, info.signo, frame, thread.process.sigreturn)
        hart.load(registers)
        thread.mask |= action.mask & ~UNBLOCKABLE
        if not action.flags & SA_NODEFER:
            thread.mask |= bit(info.signo)
        if stack.flags & signal_frame.SS_AUTODISARM:
            thread.alt_stack = signal_frame.AltStack()
        if action.flags & SA_RESETHAND:
            thread.process.handlers.actions.pop(info.signo, None)

    def return_from_handler(self, thread: Thread) -> None:
        """rt_sigreturn(2): takes everything back from the frame at sp."""
        registers = thread.registers
        mask, stack = signal_frame.pop(thread.mem, self._kernel.hart.read(SP), registers)
        self._kernel.hart.load(registers)
        thread.mask = mask & ~UNBLOCKABLE
        thread.alt_stack = stack


def _queue(process: Process, pending: Pending, info: SigInfo) -> bool:
    """Queues a signal; returns whether it is pending now."""
    queued = pending.add(info, process.limits.soft(Resource.SIGPENDING))
    return queued or bool(pending.mask & bit(info.signo) and _needs_no_queue(info))


def _needs_no_queue(info: SigInfo) -> bool:
    """True for a signal that is pending at most once, or may lose its siginfo (signal(7))."""
    return info.signo < FIRST_REALTIME or info.code == SI_USER


def _has_shell(process: Process) -> bool:
    """Whether its parent is of another group of its session, and so its shell."""
    parent = process.parent
    if parent is None or not parent.alive:
        return False
    return parent.pgid != process.pgid and parent.sid == process.sid
