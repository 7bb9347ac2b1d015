"""Ending processes and threads: exit(2), kills, and the zombie until it is waited for."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kernel.base.budget import Cost, Kind
from kernel.base.errors import Errno, OutOfMemory
from kernel.process.exit_status import ExitStatus
from kernel.process.futexes.robust_list import release_futexes
from kernel.process.process import ChildEvent, Process, Thread
from kernel.process.signal_send import send_process, signal_group
from kernel.process.signals.signals import (
    CLD_EXITED,
    CLD_KILLED,
    HIGHEST,
    SA_NOCLDWAIT,
    SI_KERNEL,
    SIG_IGN,
    Sig,
    SigInfo,
    of_child,
)
from kernel.process.timers import interval_timers
from kernel.vfs.tty import job_control

if TYPE_CHECKING:
    from kernel.process.state import KernelState


def exit_thread(kernel: KernelState, thread: Thread, code: int) -> None:
    """exit(2): ends a thread, and with its last thread the process."""
    process = thread.process
    if len(process.threads) == 1:
        exit_process(kernel, process, ExitStatus.of_exit(code))
        return
    _end_thread(kernel, thread)


def _end_thread(kernel: KernelState, thread: Thread) -> None:
    process = thread.process
    release_futexes(kernel.pi_futexes, thread)
    if thread.clear_tid and (len(process.threads) > 1 or process.space.users > 1):
        try:
            thread.mem.write_u32(thread.clear_tid, 0)
            kernel.futexes.wake_address(thread.process.space, thread.clear_tid, 1)
        except (Errno, OutOfMemory):
            pass
    if thread.call is not None:
        thread.call.close()
        thread.call = None
    kernel.scheduler.end(thread)
    if kernel.current is thread:
        kernel.current = None  # its registers need not be saved
    thread.pending.drop(~0)
    if len(process.threads) > 1:
        kernel.extra_threads -= 1
        kernel.budget.give_back(Kind.THREAD, Cost.THREAD)
    process.threads.pop(thread.tid, None)


def end_other_threads(kernel: KernelState, thread: Thread) -> None:
    """Ends all threads of the process but ``thread``, which gets the process's id (execve(2))."""
    process = thread.process
    for other in list(process.threads.values()):
        if other is not thread:
            other.clear_tid = 0
            _end_thread(kernel, other)
    process.threads = {process.pid: thread}
    thread.tid = process.pid


def exit_process(kernel: KernelState, process: Process, status: ExitStatus) -> None:
    """Ends a process; it is a zombie until waited for."""
    if not process.alive:
        return
    process.status = status
    for thread in list(process.threads.values()):
        _end_thread(kernel, thread)
    process.pending.drop(~0)
    process.program.words.release()
    process.files.leave()
    release_parent(process)
    if kernel.observer is not None:
        kernel.observer.leaving(process)
    process.space.leave()
    process.note_peak()
    interval_timers.delete_all(kernel, process)
    if process.pid == process.sid:
        send = partial(signal_group, kernel)
        job_control.leave(process, kernel.processes, send, exiting=True)
    if kernel.observer is not None:
        kernel.observer.exited(process)
    _reparent_children(kernel, process)
    _become_zombie(kernel, process)
    process.lifetime.end()
    first = kernel.first_thread
    if kernel.config.exit_with_main and first is not None and first.process is process:
        _kill_all(kernel)


def _kill_all(kernel: KernelState) -> None:
    for process in list(kernel.processes.values()):
        if process.alive:
            send_process(kernel, process, _plain(Sig.KILL))


def release_parent(process: Process) -> None:
    """Resumes the parent of a vfork child, which no longer uses its memory."""
    if process.borrows_memory:
        process.borrows_memory = False
        process.memory_released.wake()


def _reparent_children(kernel: KernelState, process: Process) -> None:
    """Gives the children to the nearest live ancestor that is a subreaper, else to init."""
    reaper = process.parent
    while reaper is not None and not (reaper.subreaper and reaper.alive):
        reaper = reaper.parent
    for child in list(process.children.values()):
        child.parent = reaper
        if reaper is not None and reaper.alive:
            reaper.children[child.pid] = child
            if not child.alive:
                reaper.child_changed.wake()
        elif not child.alive:
            reap(kernel, child)
        if child.alive and child.parent_death_signal:
            send_process(kernel, child, _plain(child.parent_death_signal))
    process.children.clear()


def _become_zombie(kernel: KernelState, process: Process) -> None:
    parent = process.parent
    process.event = ChildEvent.EXITED
    if parent is None or not parent.alive:
        reap(kernel, process)
        return
    action = parent.handlers.get(Sig.CHLD)
    auto_reaped = process.exit_signal == Sig.CHLD and (
        action.handler == SIG_IGN or bool(action.flags & SA_NOCLDWAIT)
    )
    if 0 < process.exit_signal <= HIGHEST:
        is_plain = process.exit_signal != Sig.CHLD
        info = _plain(process.exit_signal) if is_plain else end_info(process)
        send_process(kernel, parent, info)
    if auto_reaped:
        reap(kernel, process)
    parent.child_changed.wake()


def end_info(process: Process) -> SigInfo:
    """The siginfo that reports the end of a process to its parent."""
    status = process.status
    assert status is not None
    code, value = (CLD_KILLED, status.signal) if status.signal else (CLD_EXITED, status.code)
    return of_child(code, process.pid, process.fs.credentials.uid, value)


def reap(kernel: KernelState, process: Process) -> None:
    """Removes a zombie whose status was read, or that no parent will wait for."""
    if process.parent is not None:
        process.parent.children.pop(process.pid, None)
    process.lifetime.reap()
    if kernel.processes.pop(process.pid, None) is not None:
        kernel.budget.give_back(Kind.PROCESS, Cost.PROCESS)


def kill_for_memory(kernel: KernelState, thread: Thread) -> None:
    """Kills the process of a thread for which no frame is left; the machine goes on."""
    process = thread.process
    kernel.cache.reclaim()
    kernel.log(f"out of memory: {process!r} is killed; {kernel.frames.shortage}")
    exit_process(kernel, process, ExitStatus(Sig.KILL))


def _plain(signo: int) -> SigInfo:
    return SigInfo(signo, SI_KERNEL)
