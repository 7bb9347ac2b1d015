"""A trace for Perfetto (https://ui.perfetto.dev): events of threads, and memory counters.

- Each thread has a track: page faults are slices as long as the kernel's handling, and system calls
  are slices around the faults that they cause. A slice without a length (all slices of
  deterministic runs) is an instant. Forks, exec, exit and signals are instants; an arrow leads from
  a fork to the child's first event.
- Each process has counters of frames, and a track with the ends of copied pages, at which the
  number of changed bytes is known. An arrow leads there from the fault that copied the page.
- ``all processes`` has totals of the run.

Records are written immediately; only data of processes and code is kept. Page-table walks and
ranges are in the JSON format only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import BinaryIO, TypeAlias, cast

from emu.observe.formats.perfetto_arguments import (
    copy_end_arguments,
    fault_arguments,
    fork_arguments,
)
from emu.observe.formats.perfetto_packets import Arguments, Kind, Name, Packets
from emu.observe.model import records
from emu.observe.model.outcomes import COPIES
from emu.observe.model.records import AnyRecord
from kernel.mm.outcome import Outcome

_COUNTERS: dict[str, str] = {
    Outcome.COPIED: "frames copied",
    Outcome.FILE_COPIED: "file pages copied",
}
"""The counter for each outcome that copies a page."""


_Done: TypeAlias = (
    records.Fault | records.Call | records.Fork | records.Exec | records.Exit | records.Signal
)


@dataclass(slots=True)
class _Counters:
    """The counters on one track."""

    packets: Packets
    parent: int
    values: dict[str, float] = field(default_factory=dict)
    _tracks: dict[str, int] = field(default_factory=dict)

    def set(self, time: int, name: str, value: float) -> None:
        if self.values.get(name) == value:
            return
        self.values[name] = value
        track = self._tracks.get(name)
        if track is None:
            track = self._tracks[name] = self.packets.counter_track(self.parent, name, "frames")
        self.packets.count(time, track, value)

    def add(self, time: int, name: str, value: int) -> None:
        if value:
            self.set(time, name, self.values.get(name, 0) + value)


@dataclass(slots=True)
class _Process:
    pid: int
    track: int
    counters: _Counters
    name: str = ""
    parent: int = 0
    threads: dict[int, int] = field(default_factory=dict)
    ends: int = 0
    """The track of the ends of copied pages; 0 before the first."""
    last_end: int = 0
    """Time of the latest end. Simultaneous ends are drawn a nanosecond apart, because they would be
    stacked."""
    born: list[int] = field(default_factory=list)
    """The flow from the fork that created it, until its first event."""
    ended: bool = False

    @property
    def short_name(self) -> str:
        return self.name.rpartition("/")[2]


class PerfettoTrace:
    """A sink that writes to ``file``. OSError comes from a write, not later than ``close``."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._packets = Packets(file.write)
        self._processes: dict[int, _Process] = {}
        self._all = self._packets.plain_track(0, "all processes")
        self._counters = _Counters(self._packets, self._all)
        self._in_use: dict[int, float] = {}
        self._sampled: int | None = None

    def __call__(self, record: AnyRecord) -> None:
        if self._sampled is not None and not isinstance(record, records.Sample):
            self._count_in_use(self._sampled)
        match record:
            case records.Fault():
                self._fault(record)
            case records.Sample():
                self._sample(record)
            case records.Call():
                self._call(record)
            case records.CopyEnd():
                self._copy_end(record)
            case records.Fork():
                self._fork(record)
            case records.Exec():
                self._exec(record)
            case records.Exit():
                self._exit(record)
            case records.Signal():
                self._slice(record, record.tid, 0, record.signal, "signal", {})
            case records.Start() | records.End():
                self._edge(record)

    def close(self) -> None:
        if self._sampled is not None:
            self._count_in_use(self._sampled)
        self._file.close()

    # Processes and threads.

    def _process(self, pid: int) -> _Process:
        known = self._processes.get(pid)
        if known is None:
            track = self._packets.process_track(pid)
            known = _Process(pid, track, _Counters(self._packets, track))
            self._processes[pid] = known
        return known

    def _thread(self, process: _Process, tid: int) -> int:
        track = process.threads.get(tid)
        if track is None:
            name = process.short_name
            track = self._packets.thread_track(process.track, process.pid, tid, name)
            process.threads[tid] = track
        return track

    def _fork(self, fork: records.Fork) -> None:
        parent = self._process(fork.pid)
        name = "vfork" if fork.shares_memory else "fork"
        flow = fork.seq + 1
        self._slice(fork, fork.tid, 0, name, "process", fork_arguments(fork), flows=[flow])
        child = self._process(fork.child)
        child.parent, child.born, child.ended = fork.pid, [flow], False
        self._name(fork.time, child, parent.name)
        for counters in (parent.counters, self._counters):
            counters.add(fork.time, "frames copied", fork.frames_copied)

    def _exec(self, new: records.Exec) -> None:
        self._name(new.time, self._process(new.pid), new.path)
        arguments = {"path": Name(new.path), "entry": hex(new.entry)}
        self._slice(new, new.pid, 0, "exec", "process", arguments)

    def _name(self, time: int, process: _Process, name: str) -> None:
        process.name = name
        self._packets.process(time, process.pid, process.parent, name)
        for tid, track in process.threads.items():
            self._packets.thread_track(process.track, process.pid, tid, process.short_name, track)

    def _exit(self, end: records.Exit) -> None:
        process = self._process(end.pid)
        self._slice(end, end.pid, 0, "exit", "process", {"status": end.status})
        process.ended = True
        for name in ("resident", "shared", "unique", "proportional", "page tables"):
            if process.counters.values.get(name):
                process.counters.set(end.time, name, 0)
        if self._in_use.pop(end.pid, None) is not None:
            self._count_in_use(end.time)

    def _edge(self, record: records.Start | records.End) -> None:
        if isinstance(record, records.End):
            name, arguments = "end", cast("Arguments", record.summary)
        else:
            name = "start"
            arguments = {
                "command": record.command,
                "emu": record.emu,
                "fork_policy": record.fork_policy,
                "memory": record.memory,
                "deterministic": record.deterministic,
            }
        self._packets.event(Kind.INSTANT, record.time, self._all, name, "run", arguments)

    # Events.

    def _slice(
        self,
        record: _Done,
        tid: int,
        length: int,
        name: str,
        category: str,
        arguments: Arguments,
        flows: list[int] | None = None,
    ) -> None:
        process = self._process(record.pid)
        track = self._thread(process, tid)
        self._packets.event(
            Kind.BEGIN if length else Kind.INSTANT,
            record.time - length,
            track,
            name,
            category,
            arguments,
            flows=flows or (),
            ended_flows=process.born,
        )
        process.born = []
        if length:
            self._packets.event(Kind.END, record.time, track)

    def _fault(self, fault: records.Fault) -> None:
        copied = fault.outcome in COPIES
        self._slice(
            fault,
            fault.tid,
            fault.host_ns,
            fault.outcome,
            fault.access,
            fault_arguments(fault),
            flows=[fault.seq + 1] if copied else None,
        )
        if copied:
            for counters in (self._process(fault.pid).counters, self._counters):
                counters.add(fault.time, _COUNTERS[fault.outcome], 1)

    def _call(self, call: records.Call) -> None:
        arguments: Arguments = {
            "arguments": [hex(argument) for argument in call.arguments],
            "result": call.result,
        }
        length = call.time - call.began
        self._slice(call, call.tid, length, call.name, "system call", arguments)

    def _copy_end(self, end: records.CopyEnd) -> None:
        process = self._process(end.pid)
        if not process.ends:
            process.ends = self._packets.plain_track(process.track, "ends of copied pages")
        process.last_end = max(end.time, process.last_end + 1)
        self._packets.event(
            Kind.INSTANT,
            process.last_end,
            process.ends,
            end.why,
            "copy",
            copy_end_arguments(end),
            ended_flows=[end.fault + 1],
        )

    # Memory.

    def _sample(self, sample: records.Sample) -> None:
        process = self._process(sample.pid)
        if process.ended:
            return
        for name, value in (
            ("resident", sample.resident),
            ("shared", sample.resident - sample.unique),
            ("unique", sample.unique),
            ("proportional", float(sample.proportional)),
            ("page tables", sample.tables),
        ):
            process.counters.set(sample.time, name, value)
        self._in_use[sample.pid] = sample.proportional
        self._sampled = sample.time

    def _count_in_use(self, time: int) -> None:
        """Sets the total after a series of samples, because all processes are sampled together."""
        self._counters.set(time, "pages in use", float(round(sum(self._in_use.values()), 1)))
        self._sampled = None
