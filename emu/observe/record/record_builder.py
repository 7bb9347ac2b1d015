"""Makes records of facts: names, lines, callers and instructions come in here."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from msgspec.structs import replace

from emu.machine.isa.memory_operand import stval
from emu.machine.pte import V, ppn
from emu.machine.registers import FP, RA, SP
from emu.observe.model import raw_events, records
from emu.observe.model.raw_events import (
    CodeLocation,
    CopiesRetired,
    Forgotten,
    ImageFile,
    Layout,
    RangeResolved,
    RawEvent,
    RecordEvent,
)
from emu.observe.model.records import Entry, Sharer, SourceLocation
from emu.observe.model.sink import Sink
from emu.observe.model.source_location import with_line
from emu.observe.model.trace_fields import pte_flags
from emu.observe.symbols.symbolizer import Symbols
from emu.observe.unwind.backtrace_cache import Backtraces, UnwindState
from emu.observe.unwind.stack_memory import CopiedStack

_ACCESS = ("fetch", "load", "store")
_NOWHERE = SourceLocation(0)


class RecordBuilder:
    """Tells ``sink`` of a run, record by record, from the facts that it is told in turn.

    At most ``depth`` callers of a place are told of. ``locate`` hears of the ranges that a filter
    names.
    """

    def __init__(
        self, sink: Sink, depth: int, locate: Callable[[tuple[int, int]], None] | None = None
    ) -> None:
        self._sink = sink
        self._symbols = Symbols()
        self._backtraces = Backtraces(depth)
        self._locate = locate

    def tell(self, fact: RawEvent) -> None:
        if isinstance(fact, raw_events.Fault):
            self._fault(fact)
        elif isinstance(fact, RecordEvent):
            self._told(fact)
        elif isinstance(fact, CopiesRetired):
            self._settled(fact)
        elif isinstance(fact, Layout):
            self._symbols.add_layout(fact)
        elif isinstance(fact, ImageFile):
            self._symbols.add_image(fact)
        elif isinstance(fact, Forgotten):
            self._symbols.forget(fact.number)
        elif isinstance(fact, RangeResolved) and self._locate is not None:
            self._locate((fact.start, fact.end))

    def keep(self, parts: list[memoryview]) -> bytes:
        return b"".join(parts)

    def _fault(self, fact: raw_events.Fault) -> None:
        before, after, where = fact.pte_before, fact.pte_after, fact.where
        place = self._place(where)
        vma = fact.vma
        if vma is not None and not place.image and vma.start <= place.pc < vma.end:
            place = replace(place, image=vma.name)  # a fetch from what is no code
        self._sink(
            records.Fault(
                seq=fact.seq,
                time=fact.time,
                pid=fact.pid,
                tid=fact.tid,
                place=place,
                instruction=self._instruction(where.pc, fact.code),
                access=_ACCESS[fact.access],
                cause=fact.cause,
                stval=_stval(fact),
                outcome=fact.outcome,
                rule=fact.rule,
                call=fact.call,
                signal=fact.code is None and not fact.call,
                loading=fact.loading,
                vma=vma,
                table_copied=fact.table_copied,
                walk=_entries(fact.walk),
                pte_before=before,
                pte_after=after,
                flags_before=pte_flags(before),
                flags_after=pte_flags(after),
                frame_before=ppn(before) if before & V else 0,
                frame_after=ppn(after) if after & V else 0,
                count_before=fact.count_before,
                count_after=fact.count_after,
                sharers=[Sharer(pid, address) for pid, address in fact.sharers],
                backtrace=self._callers(where),
                heap=[] if fact.heap is None else self._callers(fact.heap),
                host_ns=fact.host_ns,
            )
        )

    def _instruction(self, pc: int, code: int | None) -> str:
        """Nothing where the kernel met the fault; ``?`` for what isn't in memory."""
        if code is None:
            return ""
        return "?" if code < 0 else self._symbols.instruction(pc, code)

    def _told(self, fact: RecordEvent) -> None:
        record, where = fact.record, fact.where
        if where is not None:
            place, callers = self._place(where), self._callers(where)
            if isinstance(record, records.Fork):
                record.place, record.backtrace = place, callers
            elif isinstance(record, records.ByACall):
                record.place = with_line(place, callers)
        self._sink(record)

    def _settled(self, fact: CopiesRetired) -> None:
        for number, page in enumerate(fact.pages):
            self._sink(
                records.CopyEnd(
                    seq=fact.seq + number,
                    time=fact.time,
                    fault=page.fault,
                    pid=page.pid,
                    address=page.address,
                    bytes_changed=page.changed,
                    why=fact.why,
                )
            )

    def _place(self, where: CodeLocation) -> SourceLocation:
        if not where.pc:
            return _NOWHERE
        place = self._symbols.code(where.layout).place(where.pc)
        return replace(place, image=where.image) if where.image and not place.image else place

    def _callers(self, where: CodeLocation) -> list[SourceLocation]:
        """Of a pc, the nearest first."""
        calls = where.calls
        if calls == []:
            return []
        code = self._symbols.code(where.layout)
        if calls is None:
            x = memoryview(where.registers).cast("Q")
            assert isinstance(where.stack, bytes)
            stack = CopiedStack(x[SP], where.stack)
            thread = UnwindState(where.pc, (x[RA], x[SP], x[FP]), stack, where.sigreturn)
            calls = self._backtraces.callers(code, thread)
        return code.callers(calls)


def _stval(fact: raw_events.Fault) -> int:
    if not fact.inexact:
        return fact.stval
    code = None if fact.code is None or fact.code < 0 else fact.code
    return stval(code, memoryview(fact.where.registers).cast("Q").__getitem__, fact.stval)


@lru_cache(maxsize=4096)
def _entry(level: int, address: int, pte: int) -> Entry:
    return Entry(level, address, pte, pte_flags(pte))


def _entries(walk: tuple[int, ...]) -> list[Entry]:
    """Of a walk's addresses and PTEs, root first."""
    pairs = zip(walk[::2], walk[1::2], strict=True)
    return [_entry(2 - depth, address, pte) for depth, (address, pte) in enumerate(pairs)]
