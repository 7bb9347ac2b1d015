"""``--trace faults``: one line for each page fault, as it happens."""

from __future__ import annotations

from collections.abc import Callable

from emu.machine.cause import Access
from emu.machine.pte import V, flags_text, ppn
from emu.observe.model.guest_memory import instruction_bytes
from emu.observe.model.outcomes import IN_A_LINE
from emu.observe.symbols.disassembler import disassembler
from kernel.mm.page_table import COW
from kernel.process.observer import Fault, Observer

_ACCESS = {Access.LOAD: "load", Access.STORE: "store", Access.FETCH: "fetch"}


class FaultLines(Observer):
    """Writes to ``line``; the fields are described in the README."""

    def __init__(self, line: Callable[[str], None]) -> None:
        self._line = line

    def fault(self, event: Fault) -> None:
        self._line(fault_line(event))


def fault_line(event: Fault) -> str:
    """pid, pc, instruction, access, address, cause, what was done, PTE change, count."""
    r = event.resolution
    kernel = f"kernel, in {event.call}:" if event.call else "kernel, for a signal:"
    where = _by_user(event) if event.trap is not None else kernel
    address = event.trap.tval if event.trap is not None else r.va
    return (
        f"[pid {event.thread.process.pid}] {where} {_ACCESS[r.access]} {address:#x} → "
        f"{IN_A_LINE[r.outcome]}  {_pte_change(r.pte_before, r.pte_after)}{_count(event)}"
    )


def _by_user(event: Fault) -> str:
    trap = event.trap
    assert trap is not None
    code = instruction_bytes(event.space, trap.epc)
    text = disassembler().text(code, trap.epc)
    return f"pc {trap.epc:#x}  {text:<22} cause {int(trap.cause)}"


def _pte_change(before: int, after: int) -> str:
    if before == after:
        return f"pte {pte_text(before)}"
    return f"pte {pte_text(before)} → {pte_text(after)}"


def pte_text(pte: int) -> str:
    """Frame and flags, such as ``0x80231 R--U-A- CoW``; ``none`` for an empty entry."""
    if not pte & V:
        return "none"
    return f"{ppn(pte):#x} {flags_text(pte)}{' CoW' if pte & COW else ''}"


def _count(event: Fault) -> str:
    """How many hold the frame: of the old one before, of the new one after."""
    r = event.resolution
    frames = event.space.frames
    after = frames.count(ppn(r.pte_after)) if r.pte_after & V else 0
    if r.pte_before & V:
        return f"  count {r.count_before} → {after}"
    return f"  count {after}" if after else ""
