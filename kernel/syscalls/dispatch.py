"""From an ecall to a function of the table and back: arguments, results, waiting, restarting."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from emu.machine.registers import A0, PC
from kernel.base.errors import Errno, Interrupted, OutOfMemory
from kernel.base.wait import Result
from kernel.process.process import State, Thread
from kernel.syscalls.table import TABLE

if TYPE_CHECKING:
    from kernel.kernel import Kernel


KILLED = object()
"""What a call comes to that ends its process for want of memory."""


def ecall(kernel: Kernel, thread: Thread, epc: int) -> None:
    """Carries out the system call of the ecall at ``epc``; a0 gets the result, or the thread
    waits.
    """
    kernel.hart.write(PC, epc + 4)
    if kernel.begun is not None:
        (result,), kernel.begun = kernel.begun, None
    else:
        number, *arguments = kernel.hart.syscall_registers()
        result = begin(kernel, thread, epc, number, arguments)
    if result is KILLED:
        return
    if result is None or isinstance(result, int):
        _finish(kernel, thread, result)
        return
    thread.call = result
    advance(kernel, thread, None)
    if thread.deliverable:
        thread.wake()  # the call's own mask let a signal through that was pending already


def begin(kernel: Kernel, thread: Thread, epc: int, number: int, arguments: list[int]) -> Any:
    """Calls the function of the table: its result, negative for an error, or what it waits for."""
    kernel.stats.calls += 1
    thread.call_start = epc, arguments[0]
    thread.call_number, thread.call_arguments = number, arguments
    if kernel.observer is not None:
        kernel.observer.call_entered(thread, number, arguments)
    row = TABLE.get(number)
    if row is None:
        return -errno.ENOSYS
    kernel.current_call = row.name
    try:
        result: Result = row.function(thread, *row.convert(arguments))
    except Errno as error:
        return -error.errno
    except OutOfMemory:
        kernel.kill_for_memory(thread)
        return KILLED
    finally:
        kernel.current_call = None
    return result


def advance(kernel: Kernel, thread: Thread, interruption: Interrupted | None) -> bool:
    """Goes on with the call that ``thread`` is in; whether it ended. If not, the thread waits."""
    call = thread.call
    assert call is not None
    row = TABLE[thread.call_number]
    kernel.current_call = row.name
    try:
        wait = next(call)
        if interruption is not None:  # only if what it waits for is still not there, as in Linux
            wait = call.throw(interruption)
    except StopIteration as stop:
        result = stop.value
    except Errno as error:
        result = -error.errno
    except Interrupted:
        thread.call = None
        if kernel.observer is not None:
            kernel.observer.call_left(
                thread, thread.call_number, thread.call_arguments, -errno.EINTR
            )
        kernel.signals.deliver(thread, interrupted=True)
        return thread.state is State.READY
    except OutOfMemory:
        thread.call = None
        kernel.kill_for_memory(thread)
        return False
    else:
        if thread.state is State.READY and thread.call is not None:
            kernel.scheduler.sleep(thread, wait)
        return False
    finally:
        kernel.current_call = None
    thread.call = None
    _finish(kernel, thread, result)
    return thread.state is State.READY


def _finish(kernel: Kernel, thread: Thread, result: int | None) -> None:
    if result is not None and thread.state is State.READY:
        kernel.hart.write(A0, result)
    if kernel.observer is not None:
        kernel.observer.call_left(thread, thread.call_number, thread.call_arguments, result)
