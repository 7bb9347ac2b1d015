"""Does Perfetto's own trace processor find the events of a run in its trace?"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO

import pytest

from emu.observe.formats.fault_line import place_text
from emu.observe.formats.perfetto import PerfettoTrace
from emu.observe.formats.perfetto_arguments import fault_arguments
from emu.observe.model import records
from emu.observe.model.records import AnyRecord, CopyEnd, Fault, Sample, SourceLocation
from tests.emu.observe.support.huge_guest import FIRST, PAGE, SECOND, ZEROES, huge_run
from tests.emu.observe.support.trace_processor import TraceProcessor, trace_processor
from tests.emu.observe.support.traced import Traced, traced

MODES = [(), ("--deterministic",)]
FAULTS = "category IN ('fetch', 'load', 'store')"


@pytest.fixture(scope="module", params=MODES, ids=["real", "deterministic"])
def both(request: pytest.FixtureRequest) -> Iterator[tuple[Traced, TraceProcessor]]:
    trace = traced(*request.param)
    with trace_processor(trace.perfetto) as processor:
        yield trace, processor


def argument(name: str) -> str:
    return f"extract_arg(slice.arg_set_id, 'debug.{name}')"


def on_threads(columns: str, where: str) -> str:
    """A query of slices with the pid and tid whose track they are on."""
    return (
        f"SELECT pid, tid, {columns} FROM slice JOIN (SELECT k.id AS thread, pid, tid "
        "FROM thread_track k JOIN thread USING (utid) JOIN process USING (upid)) "
        f"ON track_id = thread WHERE {where}"
    )


def test_there_is_nothing_to_complain_of(both: tuple[Traced, TraceProcessor]) -> None:
    _, processor = both
    bad = "SELECT name, value FROM stats WHERE severity IN ('error', 'data_loss') AND value"
    assert processor.rows(bad) == []
    assert processor.rows("SELECT name FROM slice WHERE dur < 0") == []


def test_processes_have_the_name_of_their_program_and_a_parent(
    both: tuple[Traced, TraceProcessor],
) -> None:
    _, processor = both
    found = processor.rows(
        "SELECT p.pid, p.name, parent.pid FROM process p JOIN process parent "
        "ON p.parent_upid = parent.upid WHERE p.pid ORDER BY p.pid"
    )
    (first, name, _), (second, last_name, parent) = found
    assert name.endswith("/first") and last_name.endswith("second")
    assert parent == first and second > first


def test_threads_are_of_their_process(both: tuple[Traced, TraceProcessor]) -> None:
    trace, processor = both
    found = processor.rows("SELECT pid, tid FROM thread JOIN process USING (upid) WHERE pid")
    assert set(found) == {(f.pid, f.tid) for f in trace.all(records.Fault)}
    assert len(found) == 3


def test_faults_are_slices_with_arguments(both: tuple[Traced, TraceProcessor]) -> None:
    trace, processor = both
    columns = "ts, dur, name, category, " + ", ".join(
        argument(name)
        for name in (
            *("seq", "cause", "stval", "pc", "function", "line", "call", "instruction", "rule"),
            *("frame_before", "frame_after", "count_before", "count_after", "table_copied"),
            *("pte_before", "pte_after", "inlined[0]", "backtrace[0]", "sharers[0]", "vma"),
        )
    )
    found = processor.rows(on_threads(columns, f"{FAULTS} ORDER BY {argument('seq')}"))
    assert found == [as_row(f) for f in trace.all(records.Fault)]


def as_row(f: records.Fault) -> tuple[Any, ...]:
    place = f.place
    return (
        *(f.pid, f.tid, f.time - f.host_ns, f.host_ns, f.outcome, f.access),
        *(f.seq, f.cause, hex(f.stval), hex(place.pc) if place.pc else None),
        *(place.function or None, place.line or None, f.call or None, f.instruction or None),
        f.rule,
        *(hex(n) if n else None for n in (f.frame_before, f.frame_after)),
        *(f.count_before, f.count_after, int(f.table_copied)),
        f"{f.pte_before:#x} {f.flags_before}".rstrip(),
        f"{f.pte_after:#x} {f.flags_after}".rstrip(),
        place.inlined[0].function if place.inlined else None,
        first_caller(f),
        f"pid {f.sharers[0].pid} at {f.sharers[0].address:#x}" if f.sharers else None,
        f"{f.vma.rights} {f.vma.name}".rstrip() if f.vma else None,
    )


def first_caller(fault: records.Fault) -> str | None:
    if not fault.backtrace:
        return None
    return place_text(fault.backtrace[0])


def test_system_calls_hold_the_faults_of_the_kernel() -> None:
    trace = traced()
    with trace_processor(trace.perfetto) as processor:
        calls = processor.rows(on_threads("ts, dur, name", "category = 'system call'"))
        assert Counter(calls) == Counter(
            (c.pid, c.tid, c.began, c.time - c.began, c.name) for c in trace.all(records.Call)
        )
        found = processor.rows(
            "SELECT parent.name, slice.name, slice.depth FROM slice JOIN slice parent "
            f"ON slice.parent_id = parent.id WHERE {argument('call')} = 'read'"
        )
        assert found == [("read", "copied", 1)]
        depths = processor.rows(f"SELECT max(depth) FROM slice WHERE {argument('call')} IS NULL")
        assert depths == [(1,)]  # forks, exec and signals are in their calls


def test_what_happens_to_processes_is_reported(both: tuple[Traced, TraceProcessor]) -> None:
    trace, processor = both
    ((fork,), (first, second)) = trace.all(records.Fork), trace.all(records.Exec)
    found = processor.rows(
        on_threads("name, ts", "category IN ('process', 'signal') ORDER BY slice.id")
    )
    exits = {e.pid: e.time for e in trace.all(records.Exit)}
    (usr1,) = trace.all(records.Signal)
    parent, child = fork.pid, fork.child
    assert sorted(found) == sorted(
        [
            (parent, parent, "exec", first.time),
            (parent, parent, "fork", fork.time),
            (parent, parent, "exit", exits[parent]),
            (child, child, "SIGUSR1", usr1.time),
            (child, child, "exec", second.time),
            (child, child, "exit", exits[child]),
        ]
    )
    ends = "category = 'process' AND name = 'exit' ORDER BY ts"
    assert processor.rows(f"SELECT {argument('status')} FROM slice WHERE {ends}") == [(2,), (3,)]


def test_an_arrow_leads_from_a_fork_to_the_child_and_from_a_copy_to_its_end(
    both: tuple[Traced, TraceProcessor],
) -> None:
    trace, processor = both
    (fork,) = trace.all(records.Fork)
    arrows = processor.rows(
        "SELECT source.name, pid, target.ts FROM flow "
        "JOIN slice source ON slice_out = source.id JOIN slice target ON slice_in = target.id "
        "JOIN thread_track ON target.track_id = thread_track.id JOIN thread USING (utid) "
        "JOIN process USING (upid)"
    )
    assert [(name, pid) for name, pid, _ in arrows] == [("fork", fork.child)]
    assert arrows[0][2] >= fork.time
    ends = processor.rows(
        "SELECT extract_arg(source.arg_set_id, 'debug.seq'), "
        "extract_arg(target.arg_set_id, 'debug.fault'), target.name, "
        "extract_arg(target.arg_set_id, 'debug.bytes_changed'), target.ts "
        "FROM flow JOIN slice source ON slice_out = source.id "
        "JOIN slice target ON slice_in = target.id WHERE target.category = 'copy'"
    )
    copy_ends = trace.all(records.CopyEnd)
    expected = [(s.fault, s.fault, s.why, s.bytes_changed) for s in copy_ends]
    assert sorted(end[:4] for end in ends) == sorted(expected) and len(expected) > 5
    times = {s.fault: s.time for s in copy_ends}
    late = {fault: ts - times[fault] for fault, *_, ts in ends}
    assert all(0 <= each < len(ends) for each in late.values()), "beside each other, not stacked"


def test_counters_are_the_samples(both: tuple[Traced, TraceProcessor]) -> None:
    trace, processor = both
    for name, value in {
        "resident": lambda s: s.resident,
        "shared": lambda s: s.resident - s.unique,
        "unique": lambda s: s.unique,
        "proportional": lambda s: s.proportional,
        "page tables": lambda s: s.tables,
    }.items():
        expected = Counter((s.pid, value(s)) for s in changes(trace.all(records.Sample), value))
        found = processor.rows(
            "SELECT pid, value FROM counter JOIN process_counter_track t ON track_id = t.id "
            f"JOIN process USING (upid) WHERE t.name = '{name}' AND value"
        )
        assert Counter(found) == Counter({k: n for k, n in expected.items() if k[1]})


def changes(samples: list[Any], value: Any) -> list[Sample]:
    last: dict[int, object] = {}
    changed = []
    for sample in samples:
        if last.get(sample.pid) != value(sample):
            changed.append(sample)
        last[sample.pid] = value(sample)
    return changed


def test_all_goes_to_nothing_when_a_process_ends(both: tuple[Traced, TraceProcessor]) -> None:
    _, processor = both
    rows = processor.rows(
        "SELECT track_id, track.name, value FROM counter JOIN track ON track_id = track.id "
        "ORDER BY counter.ts, counter.id"
    )
    last = {track: (name, value) for track, name, value in rows if "copied" not in name}
    assert {value for _, value in last.values()} == {0}
    assert {name for name, _ in last.values()} >= {"resident", "shared", "pages in use"}


@pytest.mark.parametrize("policy", ["cow", "eager", "shared-tables"])
def test_copied_frames_are_those_of_the_summary(policy: str) -> None:
    trace = traced("--fork-policy", policy)
    faults = trace.summary["faults"]
    assert isinstance(faults, dict)
    with trace_processor(trace.perfetto) as processor:
        total = (
            "SELECT max(value) FROM counter JOIN track ON track_id = track.id "
            "WHERE track.type LIKE 'global%' AND track.name = '{}'"
        )
        assert processor.rows(total.format("frames copied")) == [(trace.summary["frames_copied"],)]
        assert processor.rows(total.format("file pages copied")) == [(faults["file_copied"],)]
        by_process = processor.rows(
            "SELECT sum(n) FROM (SELECT max(value) n FROM counter JOIN process_counter_track t "
            "ON track_id = t.id WHERE t.name = 'frames copied' GROUP BY track_id)"
        )
        assert by_process == [(trace.summary["frames_copied"],)]


def test_the_run_is_reported(both: tuple[Traced, TraceProcessor]) -> None:
    trace, processor = both
    command, policy = argument("command[0]"), argument("fork_policy")
    found = processor.rows(f"SELECT {command}, {policy} FROM slice WHERE name = 'start'")
    assert found == [("./first", "cow")]
    copied = argument("faults.copied")
    assert processor.rows(f"SELECT {copied} FROM slice WHERE name = 'end'") == [
        (trace.summary["faults"]["copied"],)  # type: ignore[index]
    ]


class RetainingBytesIO(io.BytesIO):
    """A file in memory whose contents remain available after close()."""

    def close(self) -> None:
        pass


def written(*trace_records: AnyRecord, file: BinaryIO | None = None) -> bytes:
    output = RetainingBytesIO()
    sink = PerfettoTrace(file or output)
    for record in trace_records:
        sink(record)
    sink.close()
    return output.getvalue()


def test_strange_values_get_through() -> None:
    fault = records.Fault(
        seq=1,
        time=1 << 40,
        pid=7,
        tid=9,
        place=SourceLocation(1 << 63, 'a "b" é \udcff', image="/with space"),
        access="load",
        cause=13,
        stval=(1 << 64) - 1,
        outcome="segv_maperr",
    )
    call = records.Call(
        seq=2, time=5, pid=7, tid=7, name="f", arguments=[1 << 63], result=-14, began=4
    )
    with trace_processor(written(fault, call)) as processor:
        columns = f"{argument('stval')}, {argument('pc')}, {argument('function')}"
        assert processor.rows(on_threads(columns, FAULTS)) == [
            (7, 9, "0xffffffffffffffff", "0x8000000000000000", 'a "b" é ?')
        ]
        columns = f"{argument('result')}, {argument('arguments[0]')}"
        assert processor.rows(on_threads(columns, "name = 'f'")) == [
            (7, 7, -14, "0x8000000000000000")
        ]


def test_a_part_of_a_trace_is_a_trace() -> None:
    """A filtered trace: the fork is missing, and the fault that copied the page."""
    sample = Sample(seq=5, time=10, pid=4, resident=3, proportional=1.5, unique=1, tables=3)
    copy_end = CopyEnd(seq=6, time=11, fault=2, pid=4, address=4096, bytes_changed=9, why="moved")
    with trace_processor(written(sample, copy_end)) as processor:
        assert processor.rows("SELECT name FROM slice") == [("moved",)]
        values = processor.rows(
            "SELECT track.name, value FROM counter JOIN track ON track_id = track.id"
        )
        assert ("shared", 2) in values and ("pages in use", 1.5) in values


@pytest.mark.parametrize("buffered", [64, 1 << 20])
def test_a_full_disk_is_an_oserror(buffered: int) -> None:
    sample = Sample(seq=0, time=0, pid=1, resident=1, proportional=1.0, unique=1, tables=3)
    with (
        suppress(OSError),
        open("/dev/full", "wb", buffering=buffered) as file,
        pytest.raises(OSError, match="No space left"),
    ):
        written(sample, file=file)


def test_memory_does_not_grow_with_the_trace() -> None:
    """Values that differ in each fault are not stored."""
    sink = PerfettoTrace(RetainingBytesIO())
    sizes = []
    for number in range(3000):
        fault = records.Fault(
            seq=number,
            time=number,
            pid=1,
            tid=1,
            place=SourceLocation(4096, "f"),
            access="store",
            cause=15,
            stval=number << 12,
            outcome="copied",
            pte_after=number << 10 | 7,
            frame_after=number + 1,
        )
        sink(fault)
        sizes.append(sum(map(len, sink._packets._interned.values())))
    assert sizes[-1] == sizes[0]


def test_is_a_fault_of_a_huge_page_an_argument() -> None:
    faults = [fault for fault in huge_run().records if isinstance(fault, Fault)]
    huge, split = (
        [fault.stval for fault in faults if fault_arguments(fault).get(name)]
        for name in ("huge", "split")
    )
    assert huge == [FIRST + 5 * PAGE, SECOND, ZEROES + 9, ZEROES + PAGE, FIRST + 6 * PAGE]
    assert split == [FIRST + 7 * PAGE]
    assert "huge" not in fault_arguments(faults[0])
