"""Builds the data of a report's page from records. ``page/model/data.js`` reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emu.observe.analysis.cow_collector import CowCollector
from emu.observe.model import records
from emu.observe.model.records import AnyRecord
from emu.observe.report.compact import differences, exact
from emu.observe.report.costs import cost_data
from emu.observe.report.disassembly_listing import Instruction, Listings, excerpts
from emu.observe.report.fault_columns import FaultColumns
from emu.observe.report.host_files import HostFiles
from emu.observe.report.interning import InternTables
from emu.observe.report.processes import Processes
from emu.observe.report.spaces import Spaces
from kernel.mm.outcome import Outcome

KINDS = ("fault", "exec", "fork", "exit", "map", "unmap", "clear", "move", "page_size")
_NO_SPACE = -1


class Builder:
    """A sink that builds the page's data.

    A *step* is a record that changes what is in memory. All other records are aggregated in tables.
    """

    def __init__(self, files: HostFiles) -> None:
        self._files = files
        self._listings = Listings(files)
        self._codes: dict[int, list[Instruction]] = {}
        self._names = InternTables()
        self._faults = FaultColumns(self._names)
        self._spaces = Spaces()
        self._processes = Processes()
        self._costs = CowCollector()
        self._run_info: dict[str, Any] = {"command": [], "policy": "?", "emu": "?", "memory": 0}
        self._summary: dict[str, Any] | None = None
        self._end_time = 0
        self._steps: dict[str, list[int]] = {"kind": [], "time": [], "seq": [], "row": []}
        self._rows: dict[str, list[list[Any]]] = {kind: [] for kind in KINDS[1:]}
        self._handlers: dict[type, Callable[[Any], None]] = {
            records.Start: self._start,
            records.Exec: self._exec,
            records.Fork: self._fork,
            records.Exit: self._exit,
            records.Map: self._map,
            records.Unmap: self._unmap,
            records.Clear: self._clear,
            records.Move: self._move,
            records.PageSize: self._page_size,
            records.Fault: self._fault,
            records.CopyEnd: self._copy_end,
            records.Sample: self._processes.sampled,
            records.End: self._end,
        }

    def __call__(self, record: AnyRecord) -> None:
        self._end_time = record.time
        self._costs(record)
        handler = self._handlers.get(type(record))
        if handler is not None:
            handler(record)

    @property
    def complete(self) -> bool:
        """True when the end record has been received."""
        return self._summary is not None

    def data(self) -> dict[str, Any]:
        steps = self._steps
        excerpt = excerpts(self._names.places, self._files)
        return {
            "about": self._run_info,
            "complete": self.complete,
            "summary": self._summary,
            "end": self._end_time,
            "steps": {
                "kinds": KINDS,
                "kind": steps["kind"],
                "row": steps["row"],
                "time": differences(steps["time"]),
                "seq": differences(steps["seq"]),
            },
            "rows": self._rows,
            "processes": self._processes.data(),
            "faults": self._faults.data(),
            "outcomes": {each: {"name": each.label, "text": each.meaning} for each in Outcome},
            "costs": cost_data(self._costs.result(), steps["seq"]),
            "sources": [[name, lines] for name, lines in excerpt.items()],
            "code": [
                [place, [[exact(address), text] for address, text in listing]]
                for place, listing in self._codes.items()
                if listing
            ],
            **self._names.data(),
        }

    def _step(self, record: AnyRecord, kind: str, row: int) -> None:
        steps = self._steps
        steps["kind"].append(KINDS.index(kind))
        steps["row"].append(row)
        steps["time"].append(record.time)
        steps["seq"].append(record.seq)

    def _row(self, record: AnyRecord, kind: str, *values: Any) -> None:
        rows = self._rows[kind]
        rows.append(list(values))
        self._step(record, kind, len(rows) - 1)

    def _start(self, record: records.Start) -> None:
        self._run_info = {
            "command": record.command,
            "policy": record.fork_policy,
            "emu": record.emu,
            "memory": record.memory,
            "deterministic": record.deterministic,
        }

    def _end(self, record: records.End) -> None:
        self._summary = record.summary

    def _exec(self, record: records.Exec) -> None:
        process = self._processes.execed(record.pid, record.path, record.time)
        left, space = self._spaces.execed(record)
        maps = [self._names.range(of) for of in record.maps]
        old = left.number if left is not None else _NO_SPACE
        self._row(record, "exec", process, old, space.number, maps, self._names.string(record.path))

    def _fork(self, record: records.Fork) -> None:
        borrowed = record.shares_memory
        processes = self._processes.forked(record.pid, record.child, record.time, borrowed=borrowed)
        parent, child = self._spaces.forked(record)
        place = self._names.place(record.place) if record.place is not None else -1
        self._row(
            *(record, "fork", *processes, parent.number, child.number, int(borrowed)),
            *(record.pages_shared, record.tables_shared, record.frames_copied),
            *(place, self._names.stack(record.backtrace)),
            *(
                [self._names.range(of) for of in ranges]
                for ranges in (record.left_out, record.wiped, record.not_copied)
            ),
        )

    def _exit(self, record: records.Exit) -> None:
        process = self._processes.exited(record.pid, record.status, record.time)
        space = self._spaces.exited(record.pid)
        number = space.number if space is not None else _NO_SPACE
        self._row(record, "exit", process, number, record.status)

    def _map(self, record: records.Map) -> None:
        space = self._spaces.of(record.pid)
        space.mapped(record.range)
        process = self._processes.number(record.pid, record.time)
        self._row(record, "map", process, space.number, self._names.range(record.range))

    def _unmap(self, record: records.Unmap) -> None:
        self._span("unmap", record)

    def _clear(self, record: records.Clear) -> None:
        self._span("clear", record)

    def _move(self, record: records.Move) -> None:
        self._span("move", record, exact(record.to))

    def _page_size(self, record: records.PageSize) -> None:
        process = self._processes.number(record.pid, record.time)
        space, address = self._spaces.of(record.pid).number, exact(record.address)
        self._row(record, "page_size", process, space, address, int(record.huge))

    def _span(
        self, kind: str, record: records.Unmap | records.Clear | records.Move, *more: Any
    ) -> None:
        process = self._processes.number(record.pid, record.time)
        space = self._spaces.of(record.pid).number
        self._row(record, kind, process, space, exact(record.start), exact(record.end), *more)

    def _fault(self, record: records.Fault) -> None:
        space = self._spaces.of_fault(record)
        process = self._processes.number(record.pid, record.time)
        row = self._faults.add(record, len(self._steps["kind"]), process, space.number)
        self._step(record, "fault", row)
        place = self._names.place(record.place)
        base = space.bases.get(record.place.image)
        if place not in self._codes and base is not None and record.instruction:
            listing = self._listings.around(record.place, base)
            here = (record.place.pc, record.instruction)
            # A file that was changed after the run has another instruction there.
            self._codes[place] = listing if here in listing else []

    def _copy_end(self, record: records.CopyEnd) -> None:
        self._faults.add_copy_end(record)
