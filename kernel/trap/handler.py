"""The trap handler: system calls, page faults, and exceptions that become signals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from emu.machine.cause import ACCESS_OF_CAUSE, PAGE_FAULTS, Access, Cause
from emu.machine.isa.decoder import SYSTEM, decode
from emu.machine.registers import PC
from emu.machine.trap import Trap
from kernel.mm.faults.fault import handle as handle_fault
from kernel.mm.outcome import Outcome
from kernel.mm.resolution import Resolution
from kernel.process.exit import kill_for_memory
from kernel.process.observer import Fault
from kernel.process.process import Thread
from kernel.process.signal_send import force
from kernel.process.signals.signals import (
    BUS_ADRALN,
    BUS_ADRERR,
    ILL_ILLOPC,
    SEGV_ACCERR,
    SEGV_MAPERR,
    TRAP_BRKPT,
    Sig,
    SigInfo,
    at_address,
)
from kernel.syscalls import dispatch

if TYPE_CHECKING:
    from kernel.process.state import KernelState
    from kernel.syscalls.context import SyscallContext
    from kernel.trap.unfinished import UnfinishedTrap

_SIGNAL_OF_FAILURE: Final = {
    Outcome.SEGV_MAPERR: (Sig.SEGV, SEGV_MAPERR),
    Outcome.SEGV_ACCERR: (Sig.SEGV, SEGV_ACCERR),
    Outcome.BUS_ADRERR: (Sig.BUS, BUS_ADRERR),
}

_ACCESS_TEXT: Final = {
    Access.LOAD: "load from",
    Access.STORE: "store to",
    Access.FETCH: "fetch from",
}
_EXCEPTION_TEXT: Final = {
    Cause.ILLEGAL_INSTRUCTION: "illegal instruction",
    Cause.BREAKPOINT: "breakpoint",
    Cause.LOAD_MISALIGNED: "misaligned atomic load",
    Cause.STORE_MISALIGNED: "misaligned atomic access",
}

_CSR_TIME: Final = 0xC01
_SETS_OR_CLEARS: Final = (2, 3)
"""Lowest bits of funct3 of csrrs, csrrc and their immediate forms; these read only if rs1 is 0."""
_NS_PER_TICK: Final = 100
"""The time CSR counts at 10 MHz, as on QEMU's virt board."""


def handle(context: SyscallContext, trap: Trap, unfinished: UnfinishedTrap) -> None:
    """Handles one trap of the running thread."""
    kernel, cause = context.kernel, trap.cause
    if cause == Cause.ECALL_FROM_U:
        _system_call(context, trap.epc, unfinished)
    elif cause in PAGE_FAULTS:
        _page_fault(kernel, context.thread, trap, unfinished)
    elif cause == Cause.TIMER_INTERRUPT:
        kernel.scheduler.need_resched = True
    elif cause != Cause.HART_BREAKPOINT:  # which is reported before the thread runs on
        _exception(kernel, context.thread, trap)


def _system_call(context: SyscallContext, epc: int, unfinished: UnfinishedTrap) -> None:
    hart = context.kernel.hart
    hart.write(PC, epc + 4)
    if unfinished.pending_result is not None:
        (result,), unfinished.pending_result = unfinished.pending_result, None
    else:
        number, *arguments = hart.syscall_registers()
        result = dispatch.begin(context, epc, number, arguments)
    dispatch.complete(context, result)


def _exception(kernel: KernelState, thread: Thread, trap: Trap) -> None:
    cause = trap.cause
    if cause == Cause.ILLEGAL_INSTRUCTION and _reads_time(kernel, trap):
        return
    thread.process.last_fault = (
        f"{_EXCEPTION_TEXT.get(cause, cause.name.lower())} at pc {trap.epc:#x}"
    )
    force(thread, _signal_of(trap))


def resolve(kernel: KernelState, thread: Thread, page: int, access: Access) -> Resolution:
    """Handles a page fault of the thread, and counts its outcome."""
    kernel.disk.waited = False
    resolution = handle_fault(thread.process.space, page, access)
    kernel.stats.fault(resolution)
    return resolution


def _page_fault(
    kernel: KernelState, thread: Thread, trap: Trap, unfinished: UnfinishedTrap
) -> None:
    resolution, unfinished.pending_fault = unfinished.pending_fault, None
    if resolution is None:
        resolution = resolve(kernel, thread, trap.page, ACCESS_OF_CAUSE[trap.cause])
    if kernel.observer is not None:
        kernel.observer.fault(Fault(thread, thread.process.space, resolution, trap))
    if not resolution.failed:
        kernel.count_fault(thread)
        return
    if resolution.outcome is Outcome.OUT_OF_MEMORY:
        if not kernel.take_lazily_freed():
            kill_for_memory(kernel, thread)
        return  # to the instruction, which may find a frame now
    signo, code = _SIGNAL_OF_FAILURE[resolution.outcome]
    access = _ACCESS_TEXT[resolution.access]
    reason = resolution.outcome.meaning.partition(": ")[2]
    thread.process.last_fault = f"{access} {trap.tval:#x} at pc {trap.epc:#x}: {reason}"
    force(thread, at_address(signo, code, trap.tval))


def _signal_of(trap: Trap) -> SigInfo:
    if trap.cause == Cause.ILLEGAL_INSTRUCTION:
        return at_address(Sig.ILL, ILL_ILLOPC, trap.epc)
    if trap.cause == Cause.BREAKPOINT:
        return at_address(Sig.TRAP, TRAP_BRKPT, trap.epc)
    if trap.cause in (Cause.LOAD_MISALIGNED, Cause.STORE_MISALIGNED):
        return at_address(Sig.BUS, BUS_ADRALN, trap.tval)
    return at_address(Sig.SEGV, SEGV_ACCERR, trap.tval)


def _reads_time(kernel: KernelState, trap: Trap) -> bool:
    """Emulates reads of the CSR time, as the firmware of most boards does."""
    instruction = decode(trap.tval)
    if instruction.opcode != SYSTEM or instruction.funct3 & 3 not in _SETS_OR_CLEARS:
        return False
    if instruction.rs1 or instruction.immediate & 0xFFF != _CSR_TIME:
        return False
    if instruction.rd:
        kernel.hart.write(instruction.rd, kernel.clock.monotonic() // _NS_PER_TICK)
    kernel.hart.write(PC, trap.epc + instruction.length)
    return True
