"""Does a filter pass the selected records, and all that belong to them?"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from emu.observe.model import records
from emu.observe.model.records import (
    AnyRecord,
    Call,
    Caller,
    Clear,
    CopyEnd,
    End,
    Exit,
    Fault,
    Fork,
    Map,
    Move,
    Range,
    Sample,
    Signal,
    SourceLocation,
    Start,
    Unmap,
)
from emu.observe.record.filters import Filter, FilteredSink
from tests.emu.observe.support.traced import traced

START = Start(seq=0, time=0, schema=1, emu="", command=["p"], fork_policy="cow", memory=0)
NOWHERE = SourceLocation(0)
END = End(seq=99, time=9, summary={})
CHOICES = [
    Filter(outcomes=frozenset({"copied"})),
    Filter(addresses=((0, 1 << 64),)),
    Filter(functions=("*",)),
]


def fault(
    seq: int = 1,
    *,
    pid: int = 2,
    outcome: str = "copied",
    stval: int = 0,
    place: SourceLocation = NOWHERE,
) -> Fault:
    return Fault(
        seq=seq,
        time=0,
        pid=pid,
        tid=pid,
        place=place,
        access="store",
        cause=15,
        stval=stval,
        outcome=outcome,
    )


def copy_end(fault: int, pid: int = 2) -> CopyEnd:
    return CopyEnd(seq=50, time=0, fault=fault, pid=pid, address=0, bytes_changed=1, why="")


def passed(choice: Filter, *trace: AnyRecord) -> list[AnyRecord]:
    found: list[AnyRecord] = []
    sink = FilteredSink(found.append, choice)
    for record in trace:
        sink(record)
    return found


def others(pid: int) -> list[AnyRecord]:
    """A record of each kind with a pid, except faults and their ends."""
    a: dict[str, Any] = {"seq": 5, "time": 0, "pid": pid}
    return [
        records.Exec(**a, path="", entry=0, root=0, maps=[]),
        Fork(**a, tid=pid, child=7),
        Exit(**a, status=0),
        Map(**a, range=Range(0, 1, "r--p")),
        Unmap(**a, start=0, end=1),
        Move(**a, start=0, end=1, to=2),
        Clear(**a, start=0, end=1),
        Call(**a, tid=pid, name="f", arguments=[], result=0, began=0),
        Signal(**a, tid=pid, signal="SIGHUP"),
        Sample(**a, resident=1, proportional=1.0, unique=1, tables=1),
    ]


def test_no_filter_passes_all() -> None:
    trace = [START, fault(), copy_end(1), copy_end(40), *others(2), END]
    assert passed(Filter(), *trace) == [record for record in trace if record != copy_end(40)]


def test_a_pid_chooses_all_that_has_one() -> None:
    trace = [START, fault(pid=2), fault(2, pid=3), *others(2), *others(3), END]
    assert passed(Filter(pids=frozenset({3})), *trace) == [
        replace(START, filtered=True),
        fault(2, pid=3),
        *others(3),
        END,
    ]
    assert passed(Filter(pids=frozenset({2, 3})), *trace)[1:] == trace[1:]


def test_the_fork_that_made_a_chosen_child_is_reported() -> None:
    fork = Fork(seq=1, time=0, pid=2, tid=2, child=3)
    for pid in (2, 3):
        assert passed(Filter(pids=frozenset({pid})), fork) == [fork]
    assert passed(Filter(pids=frozenset({4})), fork) == []


@pytest.mark.parametrize("choice", CHOICES)
def test_calls_and_ranges_are_left_out_where_faults_are_chosen(choice: Filter) -> None:
    passed_kinds = {type(record) for record in passed(choice, START, *others(2), END)}
    assert passed_kinds == {Start, records.Exec, Fork, Exit, Signal, Sample, End}


def test_outcomes() -> None:
    trace = [fault(1), fault(2, outcome="reused"), fault(3, outcome="file")]
    assert passed(Filter(outcomes=frozenset({"reused", "file"})), *trace) == trace[1:]


@pytest.mark.parametrize(
    "ranges, expected",
    [
        (((0x1000, 0x2000),), [0x1000, 0x1FFF]),
        (((0, 0x1000), (0x2000, 0x2001)), [0xFFF, 0x2000]),
        (((0x3000, 1 << 64),), [(1 << 64) - 1]),
        (((0x2000, 0x2000),), []),
    ],
)
def test_addresses_are_half_open_ranges(
    ranges: tuple[tuple[int, int], ...], expected: object
) -> None:
    trace = [fault(stval=at) for at in (0xFFF, 0x1000, 0x1FFF, 0x2000, (1 << 64) - 1)]
    found = passed(Filter(addresses=ranges), *trace)
    assert [f.stval for f in found if isinstance(f, Fault)] == expected


@pytest.mark.parametrize(
    "patterns, expected",
    [
        (("f",), ["f"]),
        (("F",), []),
        (("g*",), ["g::g(int)"]),
        (("*",), ["f", "g::g(int)", "h", "main.f", "copy.constprop.1.isra.0", ""]),
        (("copy",), ["copy.constprop.1.isra.0"]),
        (("main",), ["h"]),
        (("inlined_into",), ["h"]),
        (("nobody", "f"), ["f"]),
        (("ma?n",), ["h"]),
    ],
)
def test_functions_have_wildcards_and_may_be_inlined(
    patterns: tuple[str, ...], expected: list[str]
) -> None:
    inlined = SourceLocation(3, "h", inlined=(Caller("inlined_into"), Caller("main")))
    copies = [SourceLocation(5, "main.f"), SourceLocation(6, "copy.constprop.1.isra.0")]
    places = [
        SourceLocation(1, "f"),
        SourceLocation(2, "g::g(int)"),
        inlined,
        *copies,
        SourceLocation(4),
    ]
    found = passed(Filter(functions=patterns), *(fault(place=place) for place in places))
    assert [f.place.function for f in found if isinstance(f, Fault)] == expected


def test_all_given_conditions_must_hold() -> None:
    choice = Filter(frozenset({2}), frozenset({"copied"}), ((0, 9),), ("f",))
    place = SourceLocation(1, "f")
    fits = fault(place=place)
    misses = [
        fault(pid=3, place=place),
        fault(outcome="reused", place=place),
        fault(stval=9, place=place),
        fault(place=SourceLocation(1, "g")),
    ]
    assert passed(choice, *misses, fits) == [fits]


@pytest.mark.parametrize("choice", CHOICES)
def test_the_end_of_a_copy_is_reported_when_its_fault_was(choice: Filter) -> None:
    trace = fault(1, place=SourceLocation(1, "f"))
    assert passed(choice, trace, copy_end(1)) == [trace, copy_end(1)]
    missed = passed(Filter(outcomes=frozenset({"reused"})), trace, copy_end(1))
    assert missed == []


def test_the_end_of_a_chosen_processs_copy_is_reported_when_another_has_the_memory_by_then() -> (
    None
):
    trace: list[AnyRecord] = [
        fault(1, pid=3),
        fault(2, pid=2),
        copy_end(1, pid=2),
        copy_end(2, pid=2),
    ]
    assert passed(Filter(pids=frozenset({3})), *trace) == [trace[0], trace[2]]


def test_a_filtered_run_is_a_part_of_the_whole() -> None:
    whole = traced("--deterministic").records
    part = traced("--deterministic", "--outcome", "copied", "--function", "fill").records
    start, *rest = part
    assert start == replace(whole[0], filtered=True)
    assert [r for r in whole if r in rest] == rest
    faults = [r for r in part if isinstance(r, Fault)]
    assert {f.place.inlined[-1].function for f in faults} == {"fill"}
    assert faults == [
        f
        for f in whole
        if isinstance(f, Fault)
        and f.outcome == "copied"
        and "fill" in (f.place.function, *(c.function for c in f.place.inlined))
    ]
    assert {r.fault for r in part if isinstance(r, CopyEnd)} <= {f.seq for f in faults}
