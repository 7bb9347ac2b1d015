"""Checks the properties of a trace that the analyses rely on, beyond the types of its fields.

Records are numbered consecutively, time does not decrease, and a record refers only to processes,
stacks and faults of earlier records. In a filtered trace only the order is checked.
"""

from __future__ import annotations

from collections.abc import Iterable

from emu.machine.cause import Access
from emu.machine.pte import PAGE_SIZE
from emu.observe.model import records
from emu.observe.model.bounds import WORD_END
from emu.observe.model.records import AnyRecord, Range, SourceLocation
from kernel.mm.forking.fork import POLICIES
from kernel.mm.outcome import Outcome

_OUTCOMES = frozenset(map(str, Outcome))
_ACCESSES = frozenset(each.name.lower() for each in Access)
_POLICIES = frozenset(POLICIES)
_DEEPEST = 4
"""Maximum depth of a summary: a valid one has two levels."""
_LEVELS = 3


class InvalidRecord(ValueError):
    """Inconsistent record; the message gives the reason."""


class TraceChecks:
    """Checks the records of one trace in order. Raises :class:`InvalidRecord`."""

    def __init__(self) -> None:
        self._seq = -1
        self._time = 0
        self._filtered = False
        self._ended = False
        self._alive: set[int] = set()
        self._huge_copies: set[int] = set()
        self._stacks: dict[int, list[SourceLocation]] = {}

    def stack(self, stack: records.Stack) -> None:
        if stack.number in self._stacks:
            raise InvalidRecord(f"duplicate stack {stack.number}")
        _check_places(stack.places)
        self._stacks[stack.number] = stack.places

    def __call__(self, record: AnyRecord) -> None:
        self._order(record)
        match record:
            case records.Fault():
                self._fault(record)
            case records.Start():
                self._start(record)
            case records.Exec():
                self._exec(record)
            case records.Fork():
                self._fork(record)
            case records.Exit():
                self._check_process(record.pid)
                self._alive.discard(record.pid)
            case records.CopyEnd():
                self._copy_end(record)
            case records.Map():
                self._check_process(record.pid)
                _check_ranges((record.range,))
            case records.Unmap() | records.Move() | records.Clear():
                self._check_process(record.pid)
                if record.start > record.end:
                    raise InvalidRecord("its range ends before it starts")
            case records.Page() | records.PageSize() | records.Sample() | records.Signal():
                self._check_process(record.pid)
            case records.Call() if record.result is not None:  # exit's comes after the exit record
                self._check_process(record.pid)
            case records.End():
                self._ended = True
                _check_summary(record.summary)

    def _order(self, record: AnyRecord) -> None:
        if self._ended:
            raise InvalidRecord("record after the end record")
        seq = record.seq
        if seq <= self._seq or (seq != self._seq + 1 and not self._filtered):
            raise InvalidRecord(f"seq {seq} follows seq {self._seq}")
        if record.time < self._time:
            raise InvalidRecord(f"time goes back from {self._time} to {record.time}")
        self._seq, self._time = seq, record.time

    def _check_process(self, pid: int) -> None:
        if pid not in self._alive and not self._filtered:
            raise InvalidRecord(f"unknown process {pid}")

    def _start(self, start: records.Start) -> None:
        if start.seq:
            raise InvalidRecord("second start record")
        if start.fork_policy not in _POLICIES:
            raise InvalidRecord(f"unknown fork policy {start.fork_policy!r}")
        self._filtered = start.filtered

    def _exec(self, record: records.Exec) -> None:
        if self._alive:
            self._check_process(record.pid)
        self._alive.add(record.pid)
        _check_words(record.entry)
        _check_ranges(record.maps)

    def _fork(self, fork: records.Fork) -> None:
        self._check_process(fork.pid)
        if fork.child in self._alive and not self._filtered:
            raise InvalidRecord(f"process {fork.child} already exists")
        self._alive.add(fork.child)
        fork.backtrace, fork.stack = self._callers(fork), 0
        if fork.place is not None:
            _check_words(fork.place.pc)
        _check_ranges(fork.left_out)
        _check_ranges(fork.wiped)
        _check_ranges(fork.not_copied)

    def _fault(self, fault: records.Fault) -> None:
        if not (fault.loading and not self._alive):
            self._check_process(fault.pid)
        if fault.outcome not in _OUTCOMES:
            raise InvalidRecord(f"unknown outcome {fault.outcome!r}")
        if fault.access not in _ACCESSES:
            raise InvalidRecord(f"unknown access {fault.access!r}")
        _check_words(fault.place.pc, fault.stval, fault.pte_before, fault.pte_after)
        if fault.huge:
            self._huge_copies.add(fault.seq)
        level = 3
        for entry in fault.walk:
            if entry.level >= level:
                raise InvalidRecord("the levels of its walk do not decrease")
            level = entry.level
            _check_words(entry.pte or 0)
        for page in fault.around:
            _check_words(page.address, page.pte)
        if fault.vma is not None:
            _check_ranges((fault.vma,))
        _check_places(fault.heap)
        fault.backtrace, fault.stack = self._callers(fault), 0

    def _copy_end(self, end: records.CopyEnd) -> None:
        if end.fault >= end.seq:
            raise InvalidRecord(f"fault {end.fault} is not an earlier record")
        is_huge = end.fault in self._huge_copies or self._filtered
        if end.bytes_changed > PAGE_SIZE and not is_huge:
            raise InvalidRecord(f"fault {end.fault} copied fewer bytes than changed")

    def _callers(self, record: records.Fault | records.Fork) -> list[SourceLocation]:
        if record.backtrace:
            raise InvalidRecord("a backtrace is not in its stack record")
        if not record.stack:
            return []
        places = self._stacks.get(record.stack)
        if places is None:
            raise InvalidRecord(f"unknown stack {record.stack}")
        return places


def _check_words(*words: int) -> None:
    for word in words:
        if word >= WORD_END:
            raise InvalidRecord("a number has more than 64 bits")


def _check_places(places: Iterable[SourceLocation]) -> None:
    for place in places:
        _check_words(place.pc)


def _check_ranges(ranges: Iterable[Range]) -> None:
    for each in ranges:
        if each.start > each.end:
            raise InvalidRecord("a range ends before it starts")


def _check_summary(value: object, depth: int = 0) -> None:
    """Rejects deep nesting, since the summary is printed."""
    if depth > _DEEPEST:
        raise InvalidRecord("the summary is nested too deep")
    if isinstance(value, int):
        _check_words(abs(value))
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            _check_summary(each, depth + 1)
