"""Delivering signals: default actions, handlers, and the return from a handler (signal(7)).

Signals are delivered to the thread whose registers the hart holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emu.machine.registers import A0, PC, SP
from kernel.base.errno import EINTR
from kernel.base.errors import Errno, OutOfMemory
from kernel.process.exit import exit_process, kill_for_memory
from kernel.process.exit_status import ExitStatus
from kernel.process.process import ChildEvent, Thread
from kernel.process.signal_send import report_to_parent
from kernel.process.signals import signal_frame
from kernel.process.signals.signals import (
    CLD_STOPPED,
    SA_NODEFER,
    SA_ONSTACK,
    SA_RESETHAND,
    SA_RESTART,
    SIG_DFL,
    SIG_IGN,
    UNBLOCKABLE,
    Action,
    Default,
    Sig,
    SigInfo,
    bit,
    default_action,
)

if TYPE_CHECKING:
    from kernel.process.state import KernelState


def deliver(kernel: KernelState, thread: Thread, *, interrupted: bool = False) -> None:
    """Delivers every deliverable signal. The frame of a later handler lies on top, so that it runs
    first, as in Linux.

    ``interrupted`` is True after an interrupted system call: the call is restarted, or fails with
    EINTR when a handler without SA_RESTART runs.
    """
    while thread.deliverable and thread.process.alive:
        unblocked = ~thread.mask
        info = thread.pending.take(unblocked) or thread.process.pending.take(unblocked)
        if info is None:
            break
        action = thread.process.handlers.get(info.signo)
        if action.handler not in (SIG_DFL, SIG_IGN):
            if interrupted:
                _end_call(kernel, thread, restart=bool(action.flags & SA_RESTART))
                interrupted = False
            _run_handler(kernel, thread, info, action)
            continue
        if action.handler == SIG_DFL:
            _default(kernel, thread, info)
        if thread.process.stopped_by:
            break
    if interrupted and thread.process.alive:
        _end_call(kernel, thread, restart=True)


def restart_call(kernel: KernelState, thread: Thread) -> None:
    """Lets an interrupted call begin again, after the handlers of the signals."""
    _end_call(kernel, thread, restart=True)


def needs_no_handler(thread: Thread) -> bool:
    """True when delivering what is pending now runs default actions only."""
    if thread.deliverable & bit(Sig.KILL):
        return True
    return not any(
        thread.deliverable & bit(signo) and action.handler not in (SIG_DFL, SIG_IGN)
        for signo, action in thread.process.handlers.actions.items()
    )


def will_kill(thread: Thread) -> bool:
    """True when a signal that is deliverable now ends the process."""
    return any(
        thread.deliverable & bit(signo)
        and thread.process.handlers.get(signo).handler == SIG_DFL
        and default_action(signo) in (Default.TERMINATE, Default.CORE)
        for signo in range(1, thread.deliverable.bit_length() + 1)
    )


def _end_call(kernel: KernelState, thread: Thread, *, restart: bool) -> None:
    """Sets the registers to restart the interrupted call, or to return EINTR."""
    hart = kernel.hart
    if restart:
        pc, a0 = thread.call_start
        hart.write(PC, pc)
        hart.write(A0, a0)
    else:
        hart.write(A0, -EINTR)


def _default(kernel: KernelState, thread: Thread, info: SigInfo) -> None:
    process = thread.process
    kind = default_action(info.signo)
    if kind in (Default.STOP, Default.TERMINATE, Default.CORE) and kernel.observer:
        kernel.observer.signalled(thread, info.signo)
    if kind is Default.STOP:
        process.stopped_by = info.signo
        report_to_parent(kernel, process, ChildEvent.STOPPED, CLD_STOPPED, info.signo)
    elif kind in (Default.TERMINATE, Default.CORE):
        exit_process(kernel, process, ExitStatus(info.signo))


def _run_handler(kernel: KernelState, thread: Thread, info: SigInfo, action: Action) -> None:
    if kernel.observer is not None:
        kernel.observer.signalled(thread, info.signo)
    hart, registers = kernel.hart, thread.registers
    hart.save(registers)
    top, stack = registers[SP], thread.alt_stack
    if action.flags & SA_ONSTACK and stack.size and not stack.holds(top):
        top = stack.sp + stack.size
    mask = thread.mask if thread.saved_mask is None else thread.saved_mask
    thread.saved_mask = None
    try:
        frame = signal_frame.push(thread.mem, registers, info, mask, stack, top)
    except Errno:
        # No room for the frame: SIGSEGV, which cannot be caught then.
        exit_process(kernel, thread.process, ExitStatus(Sig.SEGV))
        return
    except OutOfMemory:
        kill_for_memory(kernel, thread)
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


def return_from_handler(kernel: KernelState, thread: Thread) -> None:
    """rt_sigreturn(2): restores registers, mask and alternate stack from the frame at sp."""
    registers = thread.registers
    mask, stack = signal_frame.pop(thread.mem, kernel.hart.read(SP), registers)
    kernel.hart.load(registers)
    thread.mask = mask & ~UNBLOCKABLE
    thread.alt_stack = stack
