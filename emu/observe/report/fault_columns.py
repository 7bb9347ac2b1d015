"""Page faults as columns: a list for each field, so that 100,000 of them stay small."""

from __future__ import annotations

from typing import Any

from emu.observe.model.records import CopyEnd, Entry, Fault, Sharer
from emu.observe.report.compact import Table, differences, exact
from emu.observe.report.interning import Names

_COLUMNS = (
    *("step", "process", "tid", "space", "place", "instruction", "access", "outcome", "rule"),
    *("stval", "cause", "call", "loading", "range", "table", "walk", "leaf", "before", "after"),
    *("countBefore", "countAfter", "sharers", "stack", "heap", "host", "changed", "why"),
)
_RISING = ("step",)
UNKNOWN = -1


class FaultColumns:
    """All faults of a run. A walk is kept without its leaf where that follows from the rest."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._walks: Table[tuple[tuple[int, int, int | None], ...]] = Table()
        self._sharers: Table[tuple[tuple[int, int], ...]] = Table()
        self._columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
        self._rows: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._columns["step"])

    def add(self, fault: Fault, step: int, process: int, space: int) -> int:
        """The fault's number."""
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
            *(int(fault.table_copied), walk, leaf),
            *(exact(fault.pte_before), exact(fault.pte_after)),
            *(fault.count_before, fault.count_after, self._others(fault.sharers, fault.page)),
            *(names.stack(fault.backtrace), names.stack(fault.heap)),
            *(fault.host_ns, UNKNOWN, names.string("")),
        )
        for column, value in zip(self._columns.values(), values, strict=True):
            column.append(value)
        return row

    def settle(self, settled: CopyEnd) -> None:
        """The copy of a fault has come to its end; one that the trace does not have is skipped."""
        row = self._rows.get(settled.fault)
        if row is not None:
            self._columns["changed"][row] = settled.bytes_changed
            self._columns["why"][row] = self._names.string(settled.why)

    def data(self) -> dict[str, Any]:
        columns = {
            name: differences(values) if name in _RISING else values
            for name, values in self._columns.items()
        }
        walks = [[_entry_row(*entry) for entry in walk] for walk in self._walks.rows]
        return {**columns, "walks": walks, "others": self._sharers.rows}

    def _walk(self, fault: Fault) -> tuple[int, int]:
        """The number of the walk, and whether its leaf is left out of it."""
        entries = fault.walk
        follows = bool(entries) and _leaf_follows(fault, entries)
        kept = entries[:-1] if follows else entries
        return self._walks.number(tuple((e.level, e.address, e.pte) for e in kept)), int(follows)

    def _others(self, sharers: list[Sharer], page: int) -> int:
        """Addresses are relative to the fault's page: mostly 0."""
        return self._sharers.number(tuple((s.pid, s.address - page) for s in sharers))


def _entry_row(level: int, address: int, pte: int | None) -> list[int | str | None]:
    return [level, exact(address), None if pte is None else exact(pte)]


def _leaf_follows(fault: Fault, entries: list[Entry]) -> bool:
    """Whether the last entry is the leaf whose PTE the fault found, where the walk leads to."""
    if len(entries) != 3 or entries[-1].level != 0 or entries[-1].pte != fault.pte_before:
        return False
    above = entries[1].pte
    table = (above or 0) >> 10 << 12
    return entries[-1].address == table + 8 * (fault.stval >> 12 & 511)
