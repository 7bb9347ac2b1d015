"""Builds trace records from raw events: adds symbols, lines, callers and instructions."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from msgspec.structs import replace

from emu.machine.isa.memory_operand import stval
from emu.machine.pte import V, ppn
from emu.machine.registers import FP, RA, SP
from emu.observe.model import raw_events, records
from emu.observe.model.fault_row import MAX_WORDS, WORD, RowReader
from emu.observe.model.raw_events import (
    CodeLocation,
    CodeReleased,
    CopiesRetired,
    FaultDetails,
    ImageFile,
    Layout,
    RangeDefined,
    RangeResolved,
    RawEvent,
    RecordEvent,
)
from emu.observe.model.records import Entry, MappedPage, Sharer, SourceLocation
from emu.observe.model.row_buffer import RowBuffer
from emu.observe.model.sink import Sink
from emu.observe.model.source_location import with_line
from emu.observe.symbols.symbolizer import Symbols
from emu.observe.unwind.backtrace_cache import Backtraces, UnwindState
from emu.observe.unwind.known_backtraces import BacktraceLog
from emu.observe.unwind.stack_memory import CopiedStack
from kernel.mm.page_tables.pte_text import pte_flags

_ACCESS = ("fetch", "load", "store")
_NOWHERE = SourceLocation(0)


class RecordBuilder:
    """Builds records from the raw events of a run in order, and passes them to ``sink``.

    A backtrace has at most ``depth`` callers. ``on_range`` receives a filter's resolved ranges.
    Backtraces are added to ``log``, if there is one.
    """

    known_backtraces = None

    def __init__(
        self,
        sink: Sink,
        depth: int,
        on_range: Callable[[tuple[int, int]], None] | None = None,
        log: BacktraceLog | None = None,
    ) -> None:
        self._sink = sink
        self._symbols = Symbols()
        self._backtraces = Backtraces(depth, log)
        self._on_range = on_range
        self._reader = RowReader()
        self._bytes = memoryview(bytearray(WORD * MAX_WORDS))
        self.rows = RowBuffer(self._bytes.cast("Q"), on_row=self._build_row)

    def receive(self, event: RawEvent) -> None:
        if isinstance(event, RecordEvent):
            self._record_event(event)
        elif isinstance(event, CopiesRetired):
            self._copies_retired(event)
        elif isinstance(event, Layout):
            self._symbols.add_layout(event)
        elif isinstance(event, ImageFile):
            self._symbols.add_image(event)
        elif isinstance(event, CodeReleased):
            self._symbols.forget(event.number)
        elif isinstance(event, RangeDefined | FaultDetails):
            self._reader.note(event)
        elif isinstance(event, RangeResolved) and self._on_range is not None:
            self._on_range((event.start, event.end))

    def store_stack(self, parts: list[memoryview]) -> bytes:
        return b"".join(parts)

    def _build_row(self) -> None:
        self.rows.at = self.rows.number = 0
        self.fault(self._reader.read(self._bytes, 0))

    def fault(self, event: raw_events.Fault) -> None:
        """Builds the record of a fault."""
        before, after, where = event.pte_before, event.pte_after, event.where
        place = self._place(where)
        vma = event.vma
        if vma is not None and not place.image and vma.start <= place.pc < vma.end:
            place = replace(place, image=vma.name)  # a fetch from a range without code
        self._sink(
            records.Fault(
                seq=event.seq,
                time=event.time,
                pid=event.pid,
                tid=event.tid,
                place=place,
                instruction=self._instruction(where.pc, event.code),
                access=_ACCESS[event.access],
                cause=event.cause,
                stval=_stval(event),
                outcome=event.outcome,
                rule=event.rule,
                call=event.call,
                signal=event.code is None and not event.call,
                loading=event.loading,
                vma=vma,
                table_copied=event.table_copied,
                middle_copied=event.middle_copied,
                huge=event.huge,
                split=event.split,
                walk=_entries(event.walk),
                pte_before=before,
                pte_after=after,
                flags_before=pte_flags(before),
                flags_after=pte_flags(after),
                frame_before=ppn(before) if before & V else 0,
                frame_after=ppn(after) if after & V else 0,
                count_before=event.count_before,
                count_after=event.count_after,
                around=[MappedPage(address, pte) for address, pte in event.around or ()],
                sharers=[Sharer(pid, address) for pid, address in event.sharers],
                backtrace=self._callers(where),
                heap=[] if event.heap is None else self._callers(event.heap),
                host_ns=event.host_ns,
            )
        )

    def _instruction(self, pc: int, code: int | None) -> str:
        """Returns the instruction as text; "" for a fault in the kernel, ``?`` if not in memory."""
        if code is None:
            return ""
        return "?" if code < 0 else self._symbols.instruction(pc, code)

    def _record_event(self, event: RecordEvent) -> None:
        record, where = event.record, event.where
        if where is not None:
            place, callers = self._place(where), self._callers(where)
            if isinstance(record, records.Fork):
                record.place, record.backtrace = place, callers
            elif isinstance(record, records.ByACall):
                record.place = with_line(place, callers)
        self._sink(record)

    def _copies_retired(self, event: CopiesRetired) -> None:
        for number, page in enumerate(event.pages):
            self._sink(
                records.CopyEnd(
                    seq=event.seq + number,
                    time=event.time,
                    fault=page.fault,
                    pid=page.pid,
                    address=page.address,
                    bytes_changed=page.changed,
                    why=event.why,
                )
            )

    def _place(self, where: CodeLocation) -> SourceLocation:
        if not where.pc:
            return _NOWHERE
        place = self._symbols.code(where.layout).place(where.pc)
        return replace(place, image=where.image) if where.image and not place.image else place

    def _callers(self, where: CodeLocation) -> list[SourceLocation]:
        """Returns the callers, innermost first."""
        calls = where.calls
        if calls == []:
            return []
        code = self._symbols.code(where.layout)
        if where.backtrace:
            calls = self._backtraces.numbered[where.backtrace]
        elif calls is None:
            x = memoryview(where.registers).cast("Q")
            assert isinstance(where.stack, bytes)
            stack = CopiedStack(x[SP], where.stack)
            thread = UnwindState(where.pc, (x[RA], x[SP], x[FP]), stack, where.sigreturn)
            calls = self._backtraces.callers(code, thread)
        return code.callers(calls)


def _stval(event: raw_events.Fault) -> int:
    if not event.inexact:
        return event.stval
    code = None if event.code is None or event.code < 0 else event.code
    return stval(code, memoryview(event.where.registers).cast("Q").__getitem__, event.stval)


@lru_cache(maxsize=4096)
def _entry(level: int, address: int, pte: int) -> Entry:
    return Entry(level, address, pte, pte_flags(pte))


def _entries(walk: tuple[int, ...]) -> list[Entry]:
    """Returns the entries of a walk, given as addresses and PTEs, root first."""
    pairs = zip(walk[::2], walk[1::2], strict=True)
    return [_entry(2 - depth, address, pte) for depth, (address, pte) in enumerate(pairs)]
