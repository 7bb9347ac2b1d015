"""Is the report's data equal to the records, and small?"""

from __future__ import annotations

from collections import Counter
from typing import Any

from emu.observe.model import records
from emu.observe.model.records import SourceLocation
from emu.observe.report.compact import differences, exact
from emu.observe.report.page import page
from tests.emu.observe.report.traces import HEAP, SyntheticRun, built, demo, guest, large, recorded


def outcomes(data: dict[str, Any]) -> Counter[str]:
    return Counter(data["strings"][number] for number in data["faults"]["outcome"])


def test_every_fault_of_the_run_is_there() -> None:
    data = built(demo()).data()
    summary = data["summary"]
    counted = {outcome: n for outcome, n in summary["faults"].items() if n}
    assert outcomes(data) == counted
    assert data["complete"] and data["about"]["policy"] == "cow"


def test_the_fork_of_the_demo_cost_what_the_readme_says() -> None:
    data = built(demo()).data()
    (row,) = data["costs"]["forks"]
    step, parent, child, shared, tables, at_once, by_parent, by_child, reused, copied, _ = row
    assert data["steps"]["kinds"][data["steps"]["kind"][step]] == "fork"
    assert (parent, child, tables, at_once) == (2, 3, 0, 0)
    faults = [r for r in demo() if isinstance(r, records.Fault)]
    by_pid = Counter(fault.pid for fault in faults if fault.outcome == "copied")
    assert (by_parent, by_child) == (by_pid[2], by_pid[3]) and by_child >= 3
    assert by_parent + by_child == data["summary"]["frames_copied"] == copied / 4096
    assert reused == data["summary"]["frames_reused"] >= 2
    assert reused == sum(fault.outcome == "reused" for fault in faults)
    assert shared == next(r for r in demo() if isinstance(r, records.Fork)).pages_shared
    assert ["demo_cow.c:22 write_page", 3, 3 * 4096, 3] in data["costs"]["lines"]


def test_bytes_changed_belong_to_the_fault_that_copied() -> None:
    data = built(demo()).data()
    faults = [r for r in demo() if isinstance(r, records.Fault)]
    changed = {r.fault: r.bytes_changed for r in demo() if isinstance(r, records.CopyEnd)}
    assert data["faults"]["changed"] == [changed.get(fault.seq, -1) for fault in faults]
    assert len(changed) > 5


def test_execs_own_faults_are_in_the_space_that_it_makes() -> None:
    data = built(demo()).data()
    ((_, left, space, _, _),) = data["rows"]["exec"]
    assert left == -1
    first = next(r for r in demo() if isinstance(r, records.Fault))
    assert first.call == "execve" and data["faults"]["space"][0] == space


def test_a_second_exec_leaves_the_first_space() -> None:
    trace = recorded(guest("fork_exec"))
    execs = built(trace).data()["rows"]["exec"]
    assert len(execs) > 1
    assert len({space for _, _, space, _, _ in execs}) == len(execs)
    assert all(left >= 0 and left != space for _, left, space, _, _ in execs[1:])


def test_a_vfork_child_is_in_its_parents_space() -> None:
    forks = built(recorded(guest("vfork"))).data()["rows"]["fork"]
    borrowed = [row for row in forks if row[4]]
    assert borrowed and all(parent == child for _, _, parent, child, *_ in borrowed)


def test_a_pid_that_is_used_again_is_another_process() -> None:
    run = SyntheticRun()
    run.exec(2, 4)
    for _ in range(2):
        run.fork(2, 3, 0)
        run.exit(3)
    processes = built(run.end()).data()["processes"]
    assert [process["pid"] for process in processes] == [2, 3, 3]
    assert [process["parent"] for process in processes] == [None, 0, 0]


def test_a_trace_of_chosen_processes_has_no_gaps_that_hurt() -> None:
    run = SyntheticRun()
    run.fault(9, 1, "zero_filled")
    run.exit(9)
    run.copy_end(12345, 9, 1)
    data = built(run.trace).data()
    assert not data["complete"]
    assert [process["pid"] for process in data["processes"]] == [9]


def test_numbers_that_javascript_would_round_are_text() -> None:
    assert exact(2**53 - 1) == 2**53 - 1
    assert exact(2**64 - 4096) == "0xfffffffffffff000"


def test_a_wild_address_is_kept() -> None:
    run = SyntheticRun()
    run.exec(2, 1)
    run.trace.append(
        records.Fault(
            seq=2,
            time=2,
            pid=2,
            tid=2,
            place=SourceLocation(2**64 - 2),
            access="load",
            cause=13,
            stval=2**64 - 8,
            outcome="segv_maperr",
        )
    )
    data = built(run.trace).data()
    assert data["faults"]["stval"] == ["0xfffffffffffffff8"]
    assert data["places"][0][0] == "0xfffffffffffffffe"


def test_differences_add_up() -> None:
    assert differences([5, 7, 7, 20]) == [5, 2, 0, 13]
    assert differences([]) == []


def test_samples_that_say_nothing_new_are_left_out() -> None:
    run = SyntheticRun()
    run.exec(2, 4)
    for pages in (1, 5, 5, 5, 5, 6):
        run.sample(2, pages)
    (process,) = built(run.trace).data()["processes"]
    assert process["resident"] == [1, 5, 5, 6]


def test_a_hundred_thousand_faults_make_a_small_file() -> None:
    builder = built(large())
    size = sum(map(len, page(builder.data())))
    assert len(builder.data()["faults"]["step"]) == 100_000
    assert size < 4 << 20


def test_the_pages_of_the_heap_are_where_they_were() -> None:
    run = SyntheticRun()
    run.exec(2, 4)
    run.fault(2, 3, "zero_filled")
    assert built(run.trace).data()["faults"]["stval"] == [HEAP + 3 * 4096 + 24]
