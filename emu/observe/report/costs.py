"""What each fork cost later, and which code made it cost that: the tables of a report.

A copy is put down to the last fork before it that the process took part in, as parent or as child.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from emu.observe.records import Fault, Fork, Place, Settled

PAGE_SIZE = 4096
FEW_BYTES = 64
_MOST_ROWS = 25


@dataclass(slots=True)
class ForkRow:
    """One fork: what it shared, and what came of that."""

    step: int
    parent: int
    child: int
    pages_shared: int
    tables_shared: int
    copied_at_once: int
    by_parent: int = 0
    by_child: int = 0
    reused: int = 0
    bytes_changed: int = 0


@dataclass(slots=True)
class _Copy:
    fault: int
    fork: ForkRow | None


@dataclass(slots=True)
class Costs:
    """Told of forks, faults and settled copies in turn."""

    forks: list[ForkRow] = field(default_factory=list)
    _last: dict[int, ForkRow] = field(default_factory=dict)
    _copies: dict[int, _Copy] = field(default_factory=dict)
    _lines: Counter[tuple[str, int]] = field(default_factory=Counter)
    _functions: Counter[str] = field(default_factory=Counter)
    _mappings: Counter[str] = field(default_factory=Counter)
    _few: list[tuple[int, int]] = field(default_factory=list)

    def forked(self, fork: Fork, step: int) -> None:
        row = ForkRow(
            *(step, fork.pid, fork.child, fork.pages_shared, fork.tables_shared),
            fork.frames_copied,
        )
        if fork.shares_memory:
            return
        self.forks.append(row)
        self._last[fork.pid] = self._last[fork.child] = row

    def faulted(self, fault: Fault, number: int) -> None:
        row = self._last.get(fault.pid)
        if fault.outcome == "reused" and row is not None:
            row.reused += 1
        if fault.outcome != "copied":
            return
        self._copies[fault.seq] = _Copy(number, row)
        if row is not None:
            row.by_parent += fault.pid == row.parent
            row.by_child += fault.pid == row.child
        place = fault.place
        self._functions[_function(place)] += 1
        self._mappings[(fault.vma.name if fault.vma else "") or "(anonymous memory)"] += 1
        if place.line:
            self._lines[place.file, place.line] += 1

    def settled(self, settled: Settled) -> None:
        copy = self._copies.pop(settled.fault, None)
        if copy is None:
            return
        if copy.fork is not None:
            copy.fork.bytes_changed += settled.bytes_changed
        if settled.bytes_changed <= FEW_BYTES:
            self._few.append((settled.bytes_changed, copy.fault))

    def data(self) -> dict[str, Any]:
        few = sorted(self._few)
        return {
            "forks": [_fork_row(row) for row in self.forks],
            "lines": [[file, line, n] for (file, line), n in self._lines.most_common(_MOST_ROWS)],
            "functions": self._functions.most_common(_MOST_ROWS),
            "mappings": self._mappings.most_common(_MOST_ROWS),
            "few": {"count": len(few), "limit": FEW_BYTES, "rows": few[: 4 * _MOST_ROWS]},
        }


def _function(place: Place) -> str:
    return place.function or f"{place.image or '?'} at {place.pc:#x}"


def _fork_row(row: ForkRow) -> list[int]:
    return [
        *(row.step, row.parent, row.child, row.pages_shared, row.tables_shared),
        *(row.copied_at_once, row.by_parent, row.by_child, row.reused, row.bytes_changed),
    ]
