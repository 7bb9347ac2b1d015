"""Is a trace read as it was written, and any other file rejected with a clear message?"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from emu.observe.formats.jsonl import JsonLines, NotATrace, read_trace
from emu.observe.model.records import (
    SCHEMA,
    AnyRecord,
    Call,
    Caller,
    CopyEnd,
    End,
    Entry,
    Exec,
    Exit,
    Fault,
    Fork,
    Map,
    PageSize,
    Range,
    Sample,
    Sharer,
    Signal,
    SourceLocation,
    Start,
)
from tests.emu.observe.support.traced import traced

START = Start(
    seq=0, time=1, schema=SCHEMA, emu="9", command=["a b", "é"], fork_policy="cow", memory=1 << 40
)
PLACE = SourceLocation(
    (1 << 64) - 1, 'f "x" \\n', 4, "/s/é.c", 7, "/bin/a", (Caller("g", "h.c", 2), Caller("main"))
)
ALL: list[AnyRecord] = [
    START,
    Exec(seq=1, time=2, pid=2, path="/p", entry=1, root=2, maps=[Range(0, 1 << 38, "r-xp", "/p")]),
    Fork(seq=2, time=3, pid=2, tid=2, child=3, place=PLACE, backtrace=[PLACE], pages_shared=4),
    Map(seq=3, time=4, pid=3, range=Range(4096, 8192, "rw-s")),
    Fault(
        seq=4,
        time=5,
        pid=3,
        tid=4,
        place=PLACE,
        access="store",
        cause=15,
        stval=(1 << 64) - 1,
        outcome="copied",
        vma=Range(0, 1, "rw-p"),
        table_copied=True,
        walk=[Entry(2, 1 << 55, None, ""), Entry(0, 8, (1 << 64) - 1, "R--U-AD CoW")],
        pte_before=(1 << 63) | 1,
        sharers=[Sharer(2, 4096)],
        heap=[PLACE],
    ),
    Call(seq=5, time=6, pid=3, tid=3, name="mmap", arguments=[(1 << 64) - 1], result=-12, began=5),
    Call(seq=6, time=7, pid=3, tid=3, name="exit", arguments=[], result=None, began=7),
    Signal(seq=7, time=8, pid=3, tid=3, signal="SIGSEGV"),
    Sample(seq=8, time=9, pid=2, resident=3, proportional=1.25, unique=1, tables=3),
    Exit(seq=9, time=10, pid=3, status=139),
    End(seq=10, time=11, summary={"faults": {"copied": 1}, "frames_copied": 1}),
]


class RetainingBytesIO(io.BytesIO):
    """A file in memory whose contents remain available after close()."""

    shut = False

    def close(self) -> None:
        self.shut = True


def written(*trace_records: AnyRecord) -> bytes:
    file = RetainingBytesIO()
    sink = JsonLines(file)
    for record in trace_records:
        sink(record)
    sink.close()
    assert file.shut
    return file.getvalue()


def read(data: bytes) -> list[AnyRecord]:
    return list(read_trace(io.BytesIO(data)))


def test_what_is_written_is_read() -> None:
    assert read(written(*ALL)) == ALL


def test_a_line_is_an_object_for_any_reader() -> None:
    lines = written(*ALL).splitlines()
    values: list[dict[str, Any]] = [json.loads(line) for line in lines]
    objects = [line for line in values if line["event"] != "stack"]
    assert [line["seq"] for line in objects] == list(range(len(ALL)))
    assert objects[5]["arguments"] == [(1 << 64) - 1] and objects[6]["result"] is None
    assert "backtrace" not in objects[4] and "image" not in objects[4]["vma"]


def test_a_run_is_written_again_byte_for_byte() -> None:
    trace = traced("--deterministic")
    assert written(*read(trace.jsonl)) == trace.jsonl


def test_two_deterministic_runs_are_alike() -> None:
    assert traced("--deterministic").jsonl == traced("--deterministic", "--backtrace", "16").jsonl


def test_numbers_and_times_of_a_run_go_up() -> None:
    found = traced().records
    assert [record.seq for record in found] == list(range(len(found)))
    times = [record.time for record in found]
    assert times == sorted(times)


def test_much_is_written_in_parts() -> None:
    file = RetainingBytesIO()
    sink = JsonLines(file)
    for _ in range(2000):
        sink(ALL[4])
    early = len(file.getvalue())
    sink.close()
    whole = len(file.getvalue())
    assert whole - early < 1 << 17 < early
    assert len(file.getvalue().splitlines()) == 2000


@pytest.mark.parametrize("cut", [1, 2, 20, 60])
def test_a_last_line_that_is_cut_off_is_left_out(cut: int) -> None:
    data = written(*ALL)
    last = len(data.splitlines(keepends=True)[-1])
    result = read(data[:-cut])
    assert cut < last
    assert result == (ALL if cut == 1 else ALL[:-1])


def test_a_trace_cut_within_a_character() -> None:
    data = written(START, Signal(seq=1, time=1, pid=1, tid=1, signal="é"))
    assert read(data[: data.rindex("é".encode()) + 1]) == [START]


@pytest.mark.parametrize(
    "data, message",
    [
        (b"\x7fELF\x02\x01", "line 1 is not a trace record"),
        (b"hello\n", "line 1 is not a trace record"),
        (b"[1]\n", "line 1 is not a trace record"),
        (b'{"event":"start"}\n', "line 1 is not a trace record"),
        (b'{"event":"start","seq":0,"ti', "line 1 is not a trace record"),
        (b'{"event":"exit","seq":0,"time":0,"pid":1,"status":0}\n', "no start record"),
        (written(START) + b"\n" + written(*ALL[1:]), "line 2 is not a trace record"),
        (written(START) + b'{"event":"party","seq":1,"time":0}\n', "line 2 is not a trace record"),
        (written(START) + b"\xff\xfe\n", "line 2 is not a trace record"),
    ],
)
def test_what_is_not_a_trace(data: bytes, message: str) -> None:
    with pytest.raises(NotATrace, match=message) as caught:
        read(data)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("schema", [0, 3, 99])
def test_is_an_unknown_schema_rejected_with_the_known_ones(schema: int) -> None:
    data = written(START).replace(b'"schema":2', b'"schema":%d' % schema)
    with pytest.raises(NotATrace, match=rf"^unknown schema {schema} \(expected 1 or {SCHEMA}\)$"):
        read(data)


def in_schema_1(data: bytes) -> bytes:
    return data.replace(b'"schema":2', b'"schema":1').replace(
        b'{"event":"copy_end"', b'{"event":"settled"'
    )


def test_is_a_trace_of_schema_1_read_as_the_same_records() -> None:
    data = traced("--deterministic").jsonl
    old = in_schema_1(data)
    assert old.count(b'"event":"settled"') == data.count(b'"event":"copy_end"') > 5
    assert read(old) == read(data)
    assert all(type(new) is type(record) for new, record in zip(read(old), read(data), strict=True))


@pytest.mark.parametrize("convert", [in_schema_1, bytes])
def test_is_the_other_schemas_name_of_a_record_rejected(convert: Callable[[bytes], bytes]) -> None:
    """``settled`` is a record of schema 1 only, ``copy_end`` of schema 2 only."""
    end = CopyEnd(seq=1, time=1, fault=0, pid=2, address=0, bytes_changed=1, why="discarded")
    other = bytes if convert is in_schema_1 else in_schema_1
    with pytest.raises(NotATrace, match="line 2 is not a trace record"):
        read(convert(written(START)) + other(written(end)))


def test_is_a_record_that_schema_1_does_not_have_rejected_in_it() -> None:
    data = written(*ALL[:2], PageSize(seq=2, time=2, pid=2, address=0, huge=True))
    assert len(read(data)) == 3
    with pytest.raises(NotATrace, match="line 3 is not a trace record"):
        read(in_schema_1(data))


@pytest.mark.parametrize("event", ["fault", "fork"])
def test_is_a_backtrace_rejected_that_is_not_in_a_stack_record(event: str) -> None:
    """``backtrace`` is a field in memory only."""
    lines = traced("--deterministic").jsonl.splitlines(keepends=True)
    at = next(at for at, line in enumerate(lines) if b'"event":"%s"' % event.encode() in line)
    assert read(b"".join(lines[: at + 1]))
    lines[at] = lines[at].replace(b'"seq"', b'"backtrace":[{"pc":4096}],"seq"', 1)
    with pytest.raises(NotATrace, match="a backtrace is not in its stack record"):
        read(b"".join(lines[: at + 1]))


def test_an_empty_file_is_not_a_trace() -> None:
    with pytest.raises(NotATrace, match="empty"):
        read(b"")


def test_an_additional_field_is_ignored() -> None:
    data = written(*ALL[:2]).replace(b'"seq"', b'"new":{"a":[1]},"seq"')
    assert read(data) == ALL[:2]


def test_records_before_the_damage_are_reported() -> None:
    reader = read_trace(io.BytesIO(written(*ALL[:2]) + b"{}\n"))
    assert [next(reader), next(reader)] == ALL[:2]
    with pytest.raises(NotATrace, match="line 3"):
        next(reader)


@pytest.mark.parametrize("count", [1, 3000])
def test_a_full_disk_is_an_oserror(count: int) -> None:
    def write() -> None:
        sink = JsonLines(open("/dev/full", "wb"))  # noqa: SIM115
        for _ in range(count):
            sink(ALL[4])
        sink.close()

    with pytest.raises(OSError, match="No space left"):
        write()
