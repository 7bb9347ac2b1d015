"""Sending signals to processes and threads (signal(7))."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel.base.errno import EIO
from kernel.base.errors import Errno
from kernel.base.resource_limits import Resource
from kernel.process.process import ChildEvent, Process, Thread
from kernel.process.signals.signals import (
    CLD_CONTINUED,
    FIRST_REALTIME,
    SA_NOCLDSTOP,
    SI_KERNEL,
    SI_USER,
    SIG_IGN,
    Pending,
    Sig,
    SigInfo,
    bit,
    cancelled_by,
    of_child,
)

if TYPE_CHECKING:
    from kernel.process.state import KernelState


def send_process(kernel: KernelState, process: Process, info: SigInfo) -> bool:
    """Makes a signal pending for a process and wakes a thread that does not block it.

    Returns False when a real-time signal exceeds the limit of queued signals.
    """
    if not process.alive or not process.threads:
        return True
    _cancel_opposites(kernel, process, info.signo)
    blocked_by_all = all(t.mask & bit(info.signo) for t in process.threads.values())
    if process.handlers.ignores(info.signo) and not blocked_by_all:
        return True
    if not _queue(process, process.pending, info):
        return False
    process.signalled.wake()
    for thread in process.threads.values():
        if not thread.mask & bit(info.signo):
            kernel.scheduler.wake(thread)
            break
    return True


def send_thread(kernel: KernelState, thread: Thread, info: SigInfo) -> bool:
    """Makes a signal pending for one thread; returns as :func:`send_process`."""
    process = thread.process
    if not process.alive:
        return True
    _cancel_opposites(kernel, process, info.signo)
    blocked = thread.mask & bit(info.signo)
    if process.handlers.ignores(info.signo) and not blocked:
        return True
    if not _queue(process, thread.pending, info):
        return False
    process.signalled.wake()
    if not blocked:
        kernel.scheduler.wake(thread)
    return True


def stop_group(kernel: KernelState, thread: Thread, signo: int) -> bool:
    """Sends a terminal's stop signal to the thread's process group.

    Sends nothing and returns False when the thread blocks or ignores it. EIO when the group is
    orphaned: no shell is left to continue it.
    """
    process = thread.process
    group = [p for p in kernel.processes.values() if p.alive and p.pgid == process.pgid]
    if thread.mask & bit(signo) or process.handlers.ignores(signo):
        return False
    if not any(_has_shell(member) for member in group):
        raise Errno(EIO)
    for member in group:
        send_process(kernel, member, SigInfo(signo, SI_KERNEL))
    return True


def signal_group(kernel: KernelState, group: int, signo: int) -> None:
    """Sends a terminal's signal to each process of a group; 0 is none."""
    members = [p for p in kernel.processes.values() if p.alive and p.pgid == group] if group else []
    for member in members:
        send_process(kernel, member, SigInfo(signo, SI_KERNEL))


def force(thread: Thread, info: SigInfo) -> None:
    """Sends a signal for a fault of the thread: it can be caught, but not blocked or ignored."""
    action = thread.process.handlers.get(info.signo)
    if thread.mask & bit(info.signo) or action.handler == SIG_IGN:
        thread.process.handlers.actions.pop(info.signo, None)
        thread.mask &= ~bit(info.signo)
    thread.pending.add(info)


def _cancel_opposites(kernel: KernelState, process: Process, signo: int) -> None:
    """Removes the pending signals that ``signo`` cancels; SIGCONT and SIGKILL end a stop."""
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
            kernel.scheduler.wake(thread)
        if signo == Sig.CONT:
            report_to_parent(kernel, process, ChildEvent.CONTINUED, CLD_CONTINUED, Sig.CONT)


def report_to_parent(
    kernel: KernelState, process: Process, event: ChildEvent, code: int, status: int
) -> None:
    """Reports a stop or continuation: to wait4, and by SIGCHLD unless SA_NOCLDSTOP is set."""
    process.event = event
    parent = process.parent
    if parent is None:
        return
    if not parent.handlers.get(Sig.CHLD).flags & SA_NOCLDSTOP:
        send_process(
            kernel, parent, of_child(code, process.pid, process.fs.credentials.uid, status)
        )
    parent.child_changed.wake()


def _queue(process: Process, pending: Pending, info: SigInfo) -> bool:
    """Queues a signal; returns whether it is pending now."""
    queued = pending.add(info, process.limits.soft(Resource.SIGPENDING))
    return queued or bool(pending.mask & bit(info.signo) and _needs_no_queue(info))


def _needs_no_queue(info: SigInfo) -> bool:
    """True for a signal that is pending at most once, or may lose its siginfo (signal(7))."""
    return info.signo < FIRST_REALTIME or info.code == SI_USER


def _has_shell(process: Process) -> bool:
    """True when its parent is in another group of its session: a shell with job control."""
    parent = process.parent
    if parent is None or not parent.alive:
        return False
    return parent.pgid != process.pgid and parent.sid == process.sid
