"""Does ``emu why`` report the history of a page, next to the guest's own output?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guest.manifest import BY_NAME
from kernel.mm.forking.fork import POLICIES
from tests.emu.commands import Outcome, emu, program
from tests.guest.running import built

PRINTED = "parent sees  pppppppp\n child sees  pCCppCpp\nparent sees  pPpppppP\n"


def why(*words: str | Path) -> Outcome:
    return emu("why", "--check", *words)


def demo(variant: str = "static") -> Path:
    return built(BY_NAME["demo_cow"], variant)


def in_order(text: str, *parts: str) -> bool:
    at = 0
    for part in parts:
        at = text.find(part, at)
        if at < 0:
            return False
    return True


@pytest.mark.parametrize("variant", ["static", "dynamic"])
def test_is_the_history_reported_parent_first(variant: str) -> None:
    outcome = why(demo(variant), "--at", "pages+0x1000")
    assert (outcome.status, outcome.stdout) == (0, PRINTED)
    history = " ".join(outcome.stderr.split())
    assert in_order(
        history,
        "pid 2 demo_cow",
        "mapped rw-p in",
        "by exec of",
        "first touched, store to",
        "demo_cow.c:28 main (",  # the C library's memset, whose name depends on its version
        "): zero-filled pte none →",
        "shared by fork of pid 3",
        "RW-U-AD →",
        "R--U-AD CoW, count 1 → 2",
        "pid 3 has a copy of its own",
        "count 2 → 1",
        "demo_cow.c:22 write_page: REUSED",
        "pid 3 demo_cow, child of pid 2",
        "inherited from pid 2",
        "demo_cow.c:22 write_page: COPIED pte",
        "count 2 → 1",
    ), outcome.stderr
    assert max(map(len, outcome.stderr.splitlines())) <= 80


def test_is_one_process_chosen() -> None:
    outcome = why(demo(), "--at", "pages+0x1000", "--pid", "3")
    assert "COPIED" in outcome.stderr and "REUSED" not in outcome.stderr


def test_does_a_function_have_a_history_too() -> None:
    outcome = why(demo(), "--at", "write_page")
    assert "r-xp" in outcome.stderr and "file page mapped" in " ".join(outcome.stderr.split())


def test_is_a_page_that_was_never_mapped_reported() -> None:
    outcome = why(demo(), "--at", "0x1234")
    assert (outcome.status, outcome.stdout) == (0, PRINTED)
    assert "it was never mapped" in outcome.stderr and "mapping above: 0x10000" in outcome.stderr


def test_does_a_trace_give_the_same_history_with_ptes_at_the_faults(tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl"
    assert emu("trace", "-o", trace, demo()).status == 0
    outcome = emu("why", trace, "--at", "pages+0x1000")
    assert (outcome.status, outcome.stdout) == (0, "")
    assert in_order(outcome.stderr, "shared by fork", "REUSED", "pid 3", "COPIED")


def test_is_an_incomplete_trace_reported(tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl"
    assert emu("trace", "-o", trace, demo()).status == 0
    trace.write_bytes(trace.read_bytes()[:-20])
    outcome = emu("why", trace, "--at", "pages+0x1000")
    assert outcome.status == 2 and "REUSED" in outcome.stderr
    assert outcome.messages == [f"emu: {trace}: the trace was cut off"]
    assert emu("trace", "--pid", "3", "-o", trace, demo()).status == 0
    outcome = emu("why", trace, "--at", "pages+0x1000")
    assert outcome.status == 2 and outcome.stderr.count("\n") == 1
    assert "the trace was filtered" in outcome.stderr
    trace.write_text("")
    outcome = emu("why", trace, "--at", "0x1000")
    assert outcome.status == 2 and "not a trace file (expected a .jsonl" in outcome.stderr


MANY = """
#include <sys/wait.h>
#include <unistd.h>
long counter = 1;
int main(void)
{
    for (int i = 0; i < 60; i++) {
        if (!fork())
            _exit(0);
        wait(0);
    }
    return 0;
}
"""


def test_is_the_number_of_processes_limited_unless_all_are_asked_for() -> None:
    words = (program("why_many", MANY), "--at", "counter")
    some, every = why(*words).stderr.splitlines(), why("--all", *words).stderr.splitlines()
    assert some[-1] == "… 11 more processes (--all shows them, --pid N one)"
    assert len([line for line in some if "child of pid" in line]) == 49
    assert len([line for line in every if "child of pid" in line]) == 60


@pytest.mark.parametrize("policy", POLICIES)
def test_are_two_deterministic_runs_alike(policy: str) -> None:
    words = ("--deterministic", "--json", "--at", "pages", "--fork-policy", policy, demo())
    first, second = why(*words), why(*words)
    assert first == second
    history = json.loads(first.stdout)
    assert [each["pid"] for each in history["processes"]] == [2, 3]
    assert history["processes"][1]["parent"] == 2 and history["mapped"]


def test_is_a_symbol_that_is_not_there_one_clear_line(tmp_path: Path) -> None:
    outcome = why(demo(), "--at", "nothing")
    assert (outcome.status, outcome.stdout) == (2, "")
    assert outcome.stderr == f"emu: {demo()}: no symbol 'nothing'\n"
    lost = tmp_path / "t.jsonl"
    assert emu("trace", "-o", lost, demo()).status == 0
    lost.write_text(lost.read_text().replace("demo_cow", "demo_moo"))
    outcome = emu("why", lost, "--at", "pages")
    assert outcome.status == 2 and outcome.stderr.count("\n") == 1
    assert "cannot read symbols: No such file" in outcome.stderr


@pytest.mark.parametrize(
    "words, reason",
    [
        ([], "required: --at"),
        (["--at", "0x1ffffffffffffffff"], "not an address"),
        (["--at", "sp"], "'sp': is a register (expected an address or a symbol)"),
        (["--at", "main", "--pid", "x"], "'x': not an integer (expected 1 to 1073741824)"),
        (["--at", "main", "-o", "/no/such/folder/x"], "No such file"),
    ],
)
def test_is_a_wrong_option_one_clear_line(words: list[str], reason: str) -> None:
    outcome = why(*words, demo())
    assert (outcome.status, outcome.stdout) == (2, "")
    assert reason in outcome.stderr.splitlines()[-1] and "Traceback" not in outcome.stderr
