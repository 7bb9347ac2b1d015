"""Is an untrusted trace either valid for the analyses or rejected with the line and the reason?"""

from __future__ import annotations

import io
import json
import tracemalloc
from typing import Any

import pytest

from emu.observe.formats import trace_reader
from emu.observe.formats.jsonl import NotATrace, read_trace
from emu.observe.model.bounds import LONGEST_TEXT
from emu.observe.model.records import AnyRecord, CopyEnd, End, Exec, Fault, text
from tests.emu.observe.formats.test_jsonl import ALL, written
from tests.emu.observe.support.huge_guest import FIRST, PAGE, huge_run
from tests.emu.observe.support.traced import traced

EXEC, FORK, MAP, STACK, FAULT, SAMPLE, EXIT, END = 1, 3, 4, 2, 5, 9, 10, 11
"""Indices of the lines of ``ALL``; the fork's stack precedes it."""


def lines() -> list[bytes]:
    return written(*ALL).splitlines(keepends=True)


def read(*of: bytes) -> list[AnyRecord]:
    return list(read_trace(io.BytesIO(b"".join(of))))


def changed(line: bytes, where: str, value: Any) -> bytes:
    """The record with ``value`` at the path ``a.0.b``."""
    record = json.loads(line)
    *path, last = where.split(".")
    inside = record
    for word in path:
        inside = inside[int(word) if word.isdigit() else word]
    inside[int(last) if last.isdigit() else last] = value
    return json.dumps(record).encode() + b"\n"


def test_are_the_indices_of_the_lines_right() -> None:
    events = [json.loads(line)["event"] for line in lines()]
    assert [events[at] for at in (EXEC, STACK, FORK, MAP, FAULT, SAMPLE, EXIT, END)] == [
        *("exec", "stack", "fork", "map", "fault", "sample", "exit", "end")
    ]


@pytest.mark.parametrize(
    "at, where, value",
    [
        (SAMPLE, "resident", -1),
        (SAMPLE, "resident", 1 << 40),
        (SAMPLE, "proportional", -0.5),
        (SAMPLE, "unique", -(1 << 70)),
        (FORK, "frames_copied", 1 << 60),
        (FORK, "tid", 0),
        (EXIT, "status", 256),
        (EXIT, "pid", "3"),
        (EXEC, "maps.0.start", -4096),
        (EXEC, "maps.0.end", 1 << 60),
        (EXEC, "maps", {}),
        (EXEC, "path", "x" * (LONGEST_TEXT + 1)),
        (FAULT, "walk.0.level", 3),
        (FAULT, "place.line", 1 << 40),
        (FAULT, "cause", 1e3),
        (FAULT, "time", 1e30),
        (END, "summary", []),
    ],
)
def test_is_a_field_out_of_range_rejected_with_its_name(at: int, where: str, value: Any) -> None:
    trace = lines()
    trace[at] = changed(trace[at], where, value)
    with pytest.raises(NotATrace, match=f"^line {at + 1} is not a trace record: .*"):
        read(*trace)


@pytest.mark.parametrize(
    "at, where, value, reason",
    [
        (FAULT, "stval", 1 << 64, "more than 64 bits"),
        (FAULT, "place.pc", 1 << 64, "more than 64 bits"),
        (FAULT, "walk.1.pte", 1 << 80, "more than 64 bits"),
        (FAULT, "heap.0.pc", 1 << 64, "more than 64 bits"),
        (STACK, "places.0.pc", 1 << 64, "more than 64 bits"),
        (END, "summary.frames_copied", 10**30, "more than 64 bits"),
        (END, "summary.faults", {"a": {"b": {"c": {"d": {}}}}}, "nested too deep"),
        (FAULT, "walk.1.level", 2, "do not decrease"),
        (FAULT, "outcome", "party", "unknown outcome 'party'"),
        (FAULT, "access", "look", "unknown access 'look'"),
        (FAULT, "stack", 9, "unknown stack 9"),
        (FAULT, "vma", {"start": 2, "end": 1, "rights": "rw-p"}, "ends before it starts"),
        (MAP, "range.end", 0, "ends before it starts"),
        (FAULT, "pid", 77, "unknown process 77"),
        (SAMPLE, "pid", 77, "unknown process 77"),
        (FORK, "pid", 77, "unknown process 77"),
        (FORK, "child", 2, "process 2 already exists"),
        (FAULT, "seq", 3, "seq 3 follows seq 3"),
        (FAULT, "seq", 9, "seq 9 follows seq 3"),
        (FAULT, "time", 1, "time goes back from 4 to 1"),
        (0, "fork_policy", "lazy", "unknown fork policy 'lazy'"),
    ],
)
def test_is_an_inconsistent_record_rejected_with_the_reason(
    at: int, where: str, value: Any, reason: str
) -> None:
    trace = lines()
    trace[at] = changed(trace[at], where, value)
    with pytest.raises(
        NotATrace, match=f"^line {at + 1} is not a valid record of this trace: .*{reason}"
    ):
        read(*trace)


@pytest.mark.parametrize("at", [EXEC, STACK, FORK, FAULT, END])
def test_is_a_duplicate_line_rejected(at: int) -> None:
    trace = lines()
    trace.insert(at, trace[at])
    with pytest.raises(NotATrace, match=f"^line {at + 2} is not a valid record of this trace"):
        read(*trace)


def test_is_a_record_after_the_end_or_a_second_start_rejected() -> None:
    trace = lines()
    with pytest.raises(NotATrace, match=r"line 13 .* after the end record"):
        read(*trace, changed(trace[EXIT], "seq", 11))
    again = changed(changed(trace[0], "seq", 1), "time", 2)
    with pytest.raises(NotATrace, match=r"line 2 .* second start record"):
        read(trace[0], again)


def test_is_a_missing_line_detected_unless_a_filter_left_it_out() -> None:
    trace = lines()
    del trace[MAP]
    with pytest.raises(NotATrace, match=r"line 5 .* seq 4"):
        read(*trace)
    trace[0] = changed(trace[0], "filtered", True)
    assert len(read(*trace)) == len(ALL) - 1


@pytest.mark.parametrize("depth", [1_000, 2_000, 500_000])
@pytest.mark.parametrize("inside", ['"summary":', '"new":'])
def test_is_deep_nesting_rejected(depth: int, inside: str) -> None:
    trace = lines()
    deep = f'{{{inside}{{"a":{"[" * depth}{"]" * depth}}},'.encode()
    trace[END] = (
        trace[END].replace(b"{", deep, 1).replace(b'"summary":{"faults"', b'"more":{"faults"')
    )
    # Python 3.12 and newer allow deeper recursion in C code; then the missing field is reported.
    with pytest.raises(NotATrace, match=r"line 12 .*(nested too deep|`summary`)"):
        read(*trace)


def test_is_a_line_longer_than_any_record_rejected_without_being_read_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trace_reader, "LONGEST_LINE", 1 << 20)
    endless = b'{"new":"' + b"x" * (64 << 20)
    file = io.BytesIO(b"".join(lines()) + endless)
    tracemalloc.start()
    with pytest.raises(NotATrace, match=r"line 13 .* longer than 32 MiB"):
        list(read_trace(file))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


@pytest.mark.parametrize("damage", [b"\0", b"\x1b[31m", b"\xff", b"\xc0\x80", b"{}", b"\x1f\x8b"])
def test_are_bytes_that_are_not_text_rejected(damage: bytes) -> None:
    trace = lines()
    trace[MAP] = damage + trace[MAP]
    with pytest.raises(NotATrace, match=r"line 5 is not a trace record") as caught:
        read(*trace)
    assert str(caught.value).isprintable()


def test_may_a_valid_file_have_another_layout() -> None:
    """JSON allows other white space, field order and line ends, and a byte order mark."""
    objects = [json.loads(line) for line in lines()]
    spaced = b"".join(json.dumps(each).encode() + b"\r\n" for each in objects)
    ordered = b"".join(json.dumps(each, sort_keys=True).encode() + b"\n" for each in objects)
    assert read(spaced) == read(ordered) == read(b"\xef\xbb\xbf" + spaced) == ALL


NAMES = {
    "\x1b]0;owned\x07": r"\x1b]0;owned\x07",
    "\x9b31m": r"\x9b31m",
    "\u202egpj.exe": r"\u202egpj.exe",
    "\u2066x\u2069": r"\u2066x\u2069",
    "a\nemu: b\r\t": r"a\nemu: b\r\t",
    "\x7f\0": r"\x7f\x00",
    "é 漢字 <b>": "é 漢字 <b>",
    r"a\x1b": r"a\x1b",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_is_a_name_escaped_for_a_terminal_in_every_notation(name: str, ascii_only: bool) -> None:
    trace = [json.loads(line) for line in lines()]
    trace[EXEC]["path"] = trace[FAULT]["place"]["function"] = name
    trace[FAULT]["place"]["inlined"] = [{"function": name}]
    trace[STACK]["places"][0]["file"] = name
    trace[END]["summary"][name] = name
    data = b"".join(json.dumps(line, ensure_ascii=ascii_only).encode() + b"\n" for line in trace)
    found = read(data)
    (image,) = [each for each in found if isinstance(each, Exec)]
    (fault,) = [each for each in found if isinstance(each, Fault)]
    end = found[-1]
    assert isinstance(end, End)
    place = fault.place
    names = [image.path, place.function, place.inlined[0].function, end.summary[NAMES[name]]]
    assert names == [NAMES[name]] * 4


def test_is_every_recorded_trace_accepted() -> None:
    """A run with fork, exec, a signal, copies, threads, and a long file name of the guest."""
    assert traced("--deterministic", "--heap").records
    assert len(text("x" * 100_000)) == len(text("\0" * 100_000)) == LONGEST_TEXT


@pytest.mark.parametrize("cow", ["page", "huge"])
def test_is_a_change_of_bytes_that_were_not_copied_rejected(cow: str) -> None:
    trace = huge_run(thp_cow=cow).records
    copied = next(f for f in trace if isinstance(f, Fault) and f.stval == FIRST + 7 * PAGE)
    end = next(e for e in trace if isinstance(e, CopyEnd) and e.fault == copied.seq)
    end.bytes_changed = copied.pages * PAGE
    assert read(written(*trace))[-1] == trace[-1]
    end.bytes_changed += 1
    with pytest.raises(NotATrace, match="copied fewer bytes" if cow == "page" else "2097152"):
        read(written(*trace))
