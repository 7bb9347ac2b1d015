"""``--trace faults``: one line for each page fault, as it happens, without symbols."""

from __future__ import annotations

from collections.abc import Callable

from emu.machine.pte import V, ppn
from emu.observe.formats.fault_line import fault_line
from emu.observe.model import records
from emu.observe.model.guest_memory import instruction_bytes
from emu.observe.model.records import SourceLocation
from emu.observe.symbols.disassembler import disassembler
from kernel.process.observer import Fault, Observer


class FaultLines(Observer):
    """Passes each fault as a line to ``line``."""

    def __init__(self, line: Callable[[str], None]) -> None:
        self._line = line

    def fault(self, event: Fault) -> None:
        self._line(fault_line(_record(event)))


def _record(event: Fault) -> records.Fault:
    """The fields of the record of a fault that its line shows."""
    r, trap, frames = event.resolution, event.trap, event.space.frames
    instruction = ""
    if trap is not None:
        code = instruction_bytes(event.space, trap.epc)
        instruction = disassembler().text(code, trap.epc)
    return records.Fault(
        seq=0,
        time=0,
        pid=event.thread.process.pid,
        tid=event.thread.tid,
        place=SourceLocation(0 if trap is None else trap.epc),
        access=r.access.name.lower(),
        cause=0,
        stval=r.va if trap is None else trap.tval,
        outcome=r.outcome,
        instruction=instruction,
        call=event.call or "",
        signal=trap is None and not event.call,
        table_copied=r.table_copied,
        middle_copied=r.middle_copied,
        huge=r.huge,
        split=r.split,
        around=[records.MappedPage(address, pte) for address, pte in r.around or ()],
        pte_before=r.pte_before,
        pte_after=r.pte_after,
        count_before=r.count_before if r.pte_before & V else 0,
        count_after=frames.count(ppn(r.pte_after)) if r.pte_after & V else 0,
    )
