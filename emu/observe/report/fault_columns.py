"""Page faults as columns: a list for each field, compact even for 100,000 faults."""

from __future__ import annotations

from typing import Any

from emu.observe.model.records import CopyEnd, Entry, Fault, Sharer
from emu.observe.report.compact import Interner, differences, exact
from emu.observe.report.interning import InternTables

_COLUMNS = (
    *("step", "process", "tid", "space", "place", "instruction", "access", "outcome", "rule"),
    *("stval", "cause", "call", "loading", "range", "table", "huge", "split", "walk", "leaf"),
    *("before", "after", "countBefore", "countAfter", "around", "sharers", "stack", "heap"),
    *("host", "changed", "why"),
)
_RISING = ("step",)
UNKNOWN = -1


class FaultColumns:
    """All faults of a run. A walk's leaf is omitted if it follows from the other fields."""

    def __init__(self, names: InternTables) -> None:
        self._names = names
        self._walks: Interner[tuple[tuple[int, int, int | None], ...]] = Interner()
        self._sharers: Interner[tuple[tuple[int, int], ...]] = Interner()
        self._around: Interner[tuple[tuple[int, int], ...]] = Interner()
        self._columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
        self._rows: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._columns["step"])

    def add(self, fault: Fault, step: int, process: int, space: int) -> int:
        """Adds a fault, and returns its row."""
        row = len(self)
        self._rows[fault.seq] = row
        names = self._names
        walk, leaf = self._walk(fault)
        values = (
            *(step, process, fault.tid, space, names.place(fault.place)),
            *(names.string(fault.instruction), names.string(fault.access)),
            *(names.string(fault.outcome), names.string(fault.rule)),
            *(exact(fault.stval), fault.cause),
            *(names.string(fault.in_kernel), int(fault.loading)),
            names.range(fault.vma) if fault.vma else UNKNOWN,
            *(int(fault.table_copied), int(fault.huge), int(fault.split), walk, leaf),
            *(exact(fault.pte_before), exact(fault.pte_after)),
            *(fault.count_before, fault.count_after),
            *(self._around_row(fault), self._sharers_row(fault.sharers, fault.page)),
            *(names.stack(fault.backtrace), names.stack(fault.heap)),
            *(fault.host_ns, UNKNOWN, names.string("")),
        )
        for column, value in zip(self._columns.values(), values, strict=True):
            column.append(value)
        return row

    def add_copy_end(self, end: CopyEnd) -> None:
        """Adds the end of a fault's copy; ignored if the trace does not contain the fault."""
        row = self._rows.get(end.fault)
        if row is not None:
            self._columns["changed"][row] = end.bytes_changed
            self._columns["why"][row] = self._names.string(end.why)

    def data(self) -> dict[str, Any]:
        columns = {
            name: differences(values) if name in _RISING else values
            for name, values in self._columns.items()
        }
        walks = [[_entry_row(*entry) for entry in walk] for walk in self._walks.rows]
        around = self._around.rows
        return {**columns, "walks": walks, "others": self._sharers.rows, "beside": around}

    def _walk(self, fault: Fault) -> tuple[int, int]:
        """Returns the number of the walk, and 1 if its leaf is omitted."""
        entries = fault.walk
        follows = bool(entries) and _leaf_follows(fault, entries)
        stored = entries[:-1] if follows else entries
        return self._walks.number(tuple((e.level, e.address, e.pte) for e in stored)), int(follows)

    def _around_row(self, fault: Fault) -> int:
        """Interns the pages mapped beside it: the distance in pages, and the frame, of each."""
        page = fault.page >> 12
        return self._around.number(
            tuple(((each.address >> 12) - page, each.pte >> 10) for each in fault.around)
        )

    def _sharers_row(self, sharers: list[Sharer], page: int) -> int:
        """Interns the sharers; addresses are relative to the fault's page, so most are 0."""
        return self._sharers.number(tuple((s.pid, s.address - page) for s in sharers))


def _entry_row(level: int, address: int, pte: int | None) -> list[int | str | None]:
    return [level, exact(address), None if pte is None else exact(pte)]


def _leaf_follows(fault: Fault, entries: list[Entry]) -> bool:
    """Returns True if the last entry is the leaf that the fields of the fault imply."""
    if len(entries) != 3 or entries[-1].level != 0 or entries[-1].pte != fault.pte_before:
        return False
    above = entries[1].pte
    table = (above or 0) >> 10 << 12
    return entries[-1].address == table + 8 * (fault.stval >> 12 & 511)
