"""Does a result have page faults, forks and the cost of copy-on-write as objects?"""

from __future__ import annotations

import json
import sys

import pytest

from emu import Cow, Fault, Fork, Machine, NotRecorded, Outcome, Result
from emu.results import recording
from emu.results.table import Table
from tests.emu.commands import machine, program

FORKS = """
#include <stdio.h>
#include <unistd.h>
#include <sys/wait.h>
static volatile char pages[3][4096] __attribute__((aligned(4096)));
__attribute__((noinline)) static void store(int at) { pages[at][7] = 2; }
int main(void) {
    pages[0][0] = pages[1][0] = pages[2][0] = 1;
    if (!fork()) { store(0); store(1); _exit(0); }
    wait(0);
    puts("<b>bold</b> & more");
    return 3;
}
"""


@pytest.fixture(scope="module")
def result() -> Result:
    return machine(memory="64M").run([program("result_forks", FORKS)])


def test_are_the_faults_those_that_the_kernel_counted(result: Result) -> None:
    assert all(isinstance(fault, Fault) for fault in result.faults)
    counted = {name: count for name, count in result.summary["faults"].items() if count}
    assert len(result.faults) == sum(counted.values()) > 0
    assert {name: len(result.faults.where(outcome=name)) for name in counted} == counted


def test_does_a_fault_name_the_line_that_stored(result: Result) -> None:
    copies = result.faults.where(outcome=Outcome.COPIED, function="store")
    assert [fault.place.line for fault in copies] == [6, 6]
    assert {fault.access for fault in copies} == {"store"}
    assert copies[0].frame_before != copies[0].frame_after


def test_is_a_fork_there_with_its_copies(result: Result) -> None:
    (fork,) = result.forks
    assert isinstance(fork, Fork)
    assert fork.function == "main" and fork.by_child.copied >= 2
    assert fork.pages_shared > fork.by_child.copied


def test_does_the_profile_agree_with_the_faults(result: Result) -> None:
    cow = result.cow
    assert isinstance(cow, Cow)
    assert cow.pages_copied == len(result.faults.where(outcome="copied"))
    assert cow.bytes_copied == 4096 * cow.pages_copied
    assert 0 < cow.bytes_changed < cow.bytes_copied
    assert any(site.name == "store" and site.copies == 2 for site in cow.lines)
    assert json.loads(cow.json())["copied"] == cow.pages_copied
    assert "copied for fork" in str(cow)
    assert {sample.pid for sample in cow.memory} == {result.forks[0].parent, result.forks[0].child}


def test_is_a_run_that_was_not_recorded_distinguished() -> None:
    result = machine().run([program("result_forks", FORKS)], record=False)
    assert result.status == 3
    for name in ("faults", "forks", "cow"):
        with pytest.raises(NotRecorded, match="record=True"):
            getattr(result, name)
    assert "page faults" in result._repr_html_()


def test_do_allocations_name_the_heap_blocks_only_on_request() -> None:
    text = """
#include <stdlib.h>
#include <unistd.h>
#include <sys/wait.h>
int main(void) {
    volatile char *block = malloc(100000);
    block[50000] = 1;
    if (!fork()) { block[50000] = 2; _exit(0); }
    wait(0);
}
"""
    path = program("result_heap", text)
    assert any(site.name == "main" for site in machine().run([path], heap=True).cow.heap)
    assert len(machine().run([path]).cow.heap) == 0


def test_is_the_number_of_faults_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MOST_FAULTS", 5)
    result = machine().run([program("result_forks", FORKS)])
    counted = sum(result.summary["faults"].values())
    assert len(result.faults) == 5
    assert result.notes == [
        f"faults: {counted - 5:,} page faults more than the result has room for"
    ]
    assert result.cow.pages_copied == result.summary["frames_copied"]


def test_are_deterministic_runs_equal_fault_by_fault() -> None:
    fixed = Machine(deterministic=True)
    first, second = (fixed.run([program("result_forks", FORKS)]) for _ in range(2))
    assert first == second and first.faults == second.faults


def test_does_a_table_behave_as_a_list(result: Result) -> None:
    faults = result.faults
    assert faults[-1] == list(faults)[-1]
    assert isinstance(faults[2:4], Table) and len(faults[2:4]) == 2
    assert faults[2:4].rows()[0]["seq"] == faults[2].seq
    assert repr(faults) == f"<{len(faults)} rows of Fault>"
    with pytest.raises(KeyError, match="expected seq, time, pid"):
        faults.where(colour="red")


def test_does_a_notebook_show_the_summary_with_its_picture(result: Result) -> None:
    html = result._repr_html_()
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; more" in html and "<b>bold" not in html
    assert Outcome.COPIED.meaning in html
    assert html.count("<rect") >= 4 and "Who shares what" in html
    assert str(result.forks[0].child) in html.split("<svg")[1]


@pytest.mark.parametrize("name", ["faults", "forks", "cow"])
def test_does_a_notebook_show_each_part(result: Result, name: str) -> None:
    assert "<table>" in getattr(result, name)._repr_html_()


def test_does_a_long_table_say_how_much_it_leaves_out(result: Result) -> None:
    assert f"and {len(result.faults) - 20:,} more" in result.faults._repr_html_()


def test_does_a_program_without_forks_have_no_picture() -> None:
    html = machine().run([program("result_plain", "int main(void) { return 0; }\n")])._repr_html_()
    assert "<svg" not in html


def test_is_pandas_named_when_it_is_missing(
    result: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        result.faults.to_pandas()


def test_are_the_tables_data_frames(result: Result) -> None:
    pytest.importorskip("pandas")
    faults = result.faults.to_pandas()
    assert faults["outcome"].value_counts()["copied"] == result.cow.pages_copied
    assert list(result.forks.to_pandas()["copied_by_child"]) == [result.forks[0].by_child.copied]
    assert result.cow.to_pandas()["bytes_copied"].sum() == result.cow.bytes_copied
    assert set(result.cow.memory.to_pandas()["pid"]) == {2, 3}
    empty = result.faults.where(outcome="none").to_pandas()
    assert list(empty.columns) == list(faults.columns) and empty.empty
