"""Dispatch of system calls: from an ecall to a function of the table, waiting, and the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from emu.machine.registers import A0
from kernel.base.errno import EINTR, ENOSYS
from kernel.base.errors import AlwaysRestarted, Errno, Interrupted, OutOfMemory
from kernel.process.exit import kill_for_memory
from kernel.process.process import State
from kernel.process.signal_delivery import deliver, restart_call
from kernel.syscalls.table import TABLE

if TYPE_CHECKING:
    from kernel.base.wait import Result
    from kernel.syscalls.context import SyscallContext


KILLED: Final = object()
"""Result of a call that killed its process for lack of memory."""


def begin(context: SyscallContext, epc: int, number: int, arguments: list[int]) -> Any:
    """Calls the function of system call ``number``, whose ecall is at ``epc``.

    Returns its result (negative for an error), a generator for a call that waits, None for one
    that does not return to its caller, or KILLED.
    """
    kernel, thread = context.kernel, context.thread
    kernel.stats.calls += 1
    thread.call_start = epc, arguments[0]
    thread.call_number, thread.call_arguments = number, arguments
    if kernel.call_observer is not None:
        kernel.call_observer.call_entered(thread, number, arguments)
    row = TABLE.get(number)
    if row is None:  # outside of the functions that raise Errno
        return -ENOSYS
    kernel.current_call = row.name
    try:
        result: Result = row.function(context, *row.convert(arguments))
    except Errno as error:
        return -error.errno
    except OutOfMemory:
        kill_for_memory(kernel, thread)
        return KILLED
    finally:
        kernel.current_call = None
    return result


def complete(context: SyscallContext, result: Any) -> None:
    """Writes the result of :func:`begin` to a0, or lets the thread wait."""
    if result is KILLED:
        return
    if result is None or isinstance(result, int):
        _finish(context, result)
        return
    thread = context.thread
    thread.call = result
    advance(context, None)
    if thread.deliverable:
        # The call's own mask unblocked a signal that was pending already.
        context.kernel.scheduler.wake(thread)


def advance(context: SyscallContext, interruption: Interrupted | None) -> bool:
    """Resumes the thread's call; returns whether it ended. If not, the thread waits."""
    kernel, thread = context.kernel, context.thread
    call = thread.call
    assert call is not None
    row = TABLE[thread.call_number]
    kernel.current_call = row.name
    try:
        wait = next(call)
        if interruption is not None:  # only if its wait has not ended, as in Linux
            wait = call.throw(interruption)
    except StopIteration as stop:
        result = stop.value
    except Errno as error:
        result = -error.errno
    except Interrupted as stop:
        thread.call = None
        _report_end(context, -EINTR)
        restarted = isinstance(stop, AlwaysRestarted)
        if restarted:
            restart_call(kernel, thread)
        deliver(kernel, thread, interrupted=not restarted)
        return thread.state is State.READY
    except OutOfMemory:
        thread.call = None
        kill_for_memory(kernel, thread)
        return False
    else:
        if thread.state is State.READY and thread.call is not None:
            kernel.scheduler.sleep(thread, wait)
        return False
    finally:
        kernel.current_call = None
    thread.call = None
    _finish(context, result)
    return thread.state is State.READY


def _finish(context: SyscallContext, result: int | None) -> None:
    kernel, thread = context.kernel, context.thread
    if result is not None and thread.state is State.READY:
        kernel.hart.write(A0, result)
    _report_end(context, result)


def _report_end(context: SyscallContext, result: int | None) -> None:
    observer, thread = context.kernel.call_observer, context.thread
    if observer is not None:
        observer.call_left(thread, thread.call_number, thread.call_arguments, result)
