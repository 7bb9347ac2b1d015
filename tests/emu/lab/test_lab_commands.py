"""Do the lab commands show a lab's requirements and the errors in a solution?"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from emu.lab.workspace.catalogue import LABS, find
from guest.manifest import FOLDER
from tests.emu.commands import emu
from toolchain.build import build

COW = find("cow-fork")
SHARED_WRITABLE = ("pte = pte & ~W | COW", "pte = pte | COW & 0")


@pytest.fixture
def started(tmp_path: Path) -> Path:
    """A folder in which lab 4 was started."""
    folder = tmp_path / "mine"
    assert emu("lab", "start", "cow-fork", folder).status == 0
    return folder


@pytest.fixture
def solved(started: Path) -> Path:
    (started / COW.file).write_text(COW.solution)
    return started


def change(folder: Path, old: str, new: str) -> None:
    file = folder / COW.file
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


# Starting.


def test_every_lab_is_listed_with_its_number() -> None:
    lines = emu("lab", "list").stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [
        [str(number), name] for number, name in enumerate(LABS, 1)
    ]


def test_a_start_writes_the_skeleton_the_handout_and_the_guests(started: Path) -> None:
    assert (started / COW.file).read_text() == COW.skeleton
    assert (started / "cow_fork.md").read_text() == COW.handout
    assert {file.stem for file in (started / "guests").glob("*.c")} == set(COW.guests)


def test_the_kit_of_a_started_lab_documents_all_that_the_skeleton_imports(started: Path) -> None:
    kit = (started / "kit.md").read_text()
    imported = COW.skeleton.split("from emu.lab.kit import (")[1].split(")")[0]
    names = imported.replace(",", " ").split()
    assert [name for name in names if not re.search(rf"^(def |class )?{name}\b", kit, re.M)] == []
    assert "def copy_frame(self, source: int, target: int)" in kit
    assert "def is_private(self, frame: int)" in kit


def test_a_guest_that_was_written_compiles_where_it_lies(started: Path) -> None:
    source = started / "guests" / f"{COW.guests[0]}.c"
    assert emu("build", source, "-o", started / "program").status == 0


def test_a_second_start_keeps_what_the_student_wrote(solved: Path) -> None:
    again = emu("lab", "start", "cow-fork", solved)
    assert again.status == 2
    assert "cow_fork.py: File exists (nothing was changed)" in again.stderr
    assert (solved / COW.file).read_text() == COW.solution


@pytest.mark.parametrize(
    "words, message",
    [
        (("start", "no-such"), "'no-such': unknown lab (expected walk, frames"),
        (("check", "--dir", "/nonexistent"), "/nonexistent: No such file or directory"),
        (("check",), "no lab's file (expected walk.py"),
        (("check", "cow-fork"), "cow_fork.py: No such file"),
        (("check", "1", "2"), "1 2: several tests (expected one, or none for all)"),
        (("check", "1", "nonsense"), "nonsense: unknown lab or test"),
        (("check", "nonsense"), "nonsense: unknown lab or test (see emu lab list)"),
        (("check", "fork-shares"), "no lab's file (expected walk.py"),
        (("check", "--dir", __file__), f"{__file__}: Not a directory"),
        (("replay", "3"), "lab replay 3: no such failure in the last check (expected none; "),
    ],
)
def test_a_usage_error_is_one_line(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    outcome = emu("lab", *words, cwd=tmp_path)
    assert outcome.status == 2
    assert message in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1


# Checking.


def test_the_skeleton_is_reported_as_not_implemented(started: Path) -> None:
    checked = emu("lab", "check", "1", cwd=started)
    assert checked.status == 1
    assert "share_space() is not implemented" in checked.stdout


def test_a_solution_passes(solved: Path) -> None:
    checked = emu("lab", "check", "--dir", solved)
    assert checked.status == 0, checked.stdout
    assert checked.stdout.splitlines()[-1].endswith("100 of 100 points")


def test_a_mistake_is_reported_with_both_sides_and_the_students_line(solved: Path) -> None:
    change(solved, *SHARED_WRITABLE)
    line = 1 + next(
        number
        for number, text in enumerate((solved / COW.file).read_text().splitlines())
        if "memory.store(child_entry, pte)" in text
    )
    checked = emu("lab", "check", "1", cwd=solved).stdout
    assert "shared-is-not-writable   after fork(), pid 1 → 2" in checked
    assert "has 2 users:  pid 1  0x" in checked
    assert "← still writable" in checked
    assert f"you wrote this PTE at cow_fork.py:{line - 1}, in share_page()" in checked
    assert "emu lab replay 1" in checked


def test_a_failure_is_replayed_step_by_step(solved: Path) -> None:
    change(solved, *SHARED_WRITABLE)
    emu("lab", "check", "1", cwd=solved)
    played = emu("lab", "replay", "1", cwd=solved)
    assert played.status == 1
    assert "pid 1 forks" in played.stdout
    assert "in share_page()" in played.stdout
    assert "FAIL  shared-is-not-writable" in played.stdout


def test_a_replay_shows_what_the_code_prints(solved: Path) -> None:
    change(solved, *SHARED_WRITABLE)
    change(
        solved,
        "    child = frames.allocate_table()\n",
        "    child = frames.allocate_table()\n    print('child', child)\n",
    )
    emu("lab", "check", "1", cwd=solved)
    assert "printed: child " in emu("lab", "replay", "1", cwd=solved).stdout


def test_the_replay_of_a_corrected_failure_says_so(solved: Path) -> None:
    change(solved, *SHARED_WRITABLE)
    emu("lab", "check", "1", cwd=solved)
    (solved / COW.file).write_text(COW.solution)
    played = emu("lab", "replay", "1", cwd=solved)
    assert played.status == 0
    assert "test 1: shared-is-not-writable no longer occurs" in played.stdout


def test_an_exception_is_reported_by_the_students_lines_alone(solved: Path) -> None:
    change(solved, "    if frames.count(frame) == 1:", "    if frames.counts[frame] == 1:")
    checked = emu("lab", "check", "2", cwd=solved).stdout
    assert "AttributeError" in checked
    assert "in store_fault()" in checked
    assert "Traceback" not in checked
    assert "emu/lab" not in checked


def test_a_mistake_is_reported_in_full_once_and_briefly_in_other_tests(solved: Path) -> None:
    change(solved, "    if frames.count(frame) == 1:", "    if 1 // 0:")
    checked = emu("lab", "check", cwd=solved).stdout
    assert "FAIL   2  child-stores" in checked
    again = r".*\n  raised   ZeroDivisionError: .*\n(?:    .*\n)*    same as test 2\n"
    assert re.search(f"FAIL   3  parent-stores {again}", checked)
    assert re.search(rf"FAIL  \d+  guest-isolation {again}", checked)
    assert checked.count("if 1 // 0:") <= 2 * checked.count("same as test 2") + 1


def test_the_operations_of_the_reference_are_reported_and_replayed(solved: Path) -> None:
    change(solved, *SHARED_WRITABLE)
    text = (solved / COW.file).read_text().replace("return Outcome.COPIED", "return None")
    (solved / COW.file).write_text(text)
    checked = emu("lab", "check", cwd=solved).stdout
    report = checked[checked.index("FAIL   2  child-stores") : checked.index("FAIL   3")]
    assert "wrong-result   store_fault() returned None" in report
    assert "the reference executed operation 1 of 2: your code fails there" in report
    played = emu("lab", "replay", "2", cwd=solved)
    assert "pid 1 forks   (done by the reference)" in played.stdout
    assert "FAIL  wrong-result   store_fault() returned None" in played.stdout


def test_a_check_of_code_that_never_returns_ends_soon(solved: Path) -> None:
    change(solved, "    if frames.count(frame) == 1:", "    while True: pass\n    if pte:")
    checked = emu("lab", "check", cwd=solved).stdout
    assert "store_fault() did not return" in checked
    assert "not run: 2 earlier tests took too long" in checked
    assert checked.endswith("of 100 points\n")


def test_a_needless_write_of_a_pte_is_reported_with_its_line(solved: Path) -> None:
    change(solved, "        if not pte & D:\n", "        if pte:\n")
    checked = emu("lab", "check", "kernel-writes", cwd=solved).stdout
    assert "2 PTEs were written (expected 1)" in checked
    assert re.search(r"PTE at 0x\w+: .* cow_fork.py:\d+, in copy_to_user\(\)", checked)


def test_a_fork_that_failed_is_not_reported_as_one_that_made_a_child(solved: Path) -> None:
    change(solved, "    except OutOfFrames:", "    except ZeroDivisionError:")
    checked = emu("lab", "check", "fork-runs-out", cwd=solved).stdout
    assert "after a fork() without a free frame, pid" in checked


def test_a_syntax_error_names_its_line(started: Path) -> None:
    (started / COW.file).write_text("def share_page(:\n")
    checked = emu("lab", "check", "1", cwd=started).stdout
    assert "SyntaxError" in checked
    assert "cow_fork.py:1" in checked


def test_what_the_code_prints_decides_nothing(started: Path) -> None:
    file = started / COW.file
    file.write_text(file.read_text() + 'print("ok    1  fork-shares")\n')
    assert emu("lab", "check", "1", cwd=started).status == 1


# Running programs.


@pytest.fixture(scope="module")
def demo() -> Path:
    return build([FOLDER / "demo_cow.c"])


def test_a_program_runs_on_a_students_kernel_as_on_ours(solved: Path, demo: Path) -> None:
    theirs = emu("run", "--deterministic", "--summary=json", "--lab", solved, demo)
    ours = emu("run", "--deterministic", "--summary=json", demo)
    assert theirs.status == 0, theirs.stderr
    assert theirs.stdout == ours.stdout
    counts = ("frames_copied", "frames_reused", "eager_frames_copied", "frames_leaked")
    assert {name: theirs.summary[name] for name in counts} == {
        name: ours.summary[name] for name in counts
    }


def test_a_broken_invariant_ends_a_run_with_the_students_line(solved: Path, demo: Path) -> None:
    change(solved, *SHARED_WRITABLE)
    outcome = emu("run", "--lab", solved, demo)
    assert outcome.status == 125
    assert "shared-is-not-writable" in outcome.stderr
    assert "you wrote this PTE at cow_fork.py:" in outcome.stderr
    assert "defect" not in outcome.stderr


def test_a_run_with_code_that_raises_shows_the_page_concerned(solved: Path, demo: Path) -> None:
    change(solved, "    if frames.count(frame) == 1:", "    if 1 // 0:")
    outcome = emu("run", "--lab", solved, demo)
    assert outcome.status == 125
    assert "ZeroDivisionError" in outcome.stderr
    assert "in store_fault()" in outcome.stderr
    assert "the page: 0x" in outcome.stderr
    assert "Traceback" not in outcome.stderr


@pytest.mark.parametrize("command", ["trace", "cow", "why", "walk", "report"])
def test_every_instrument_works_on_a_students_kernel(
    solved: Path, demo: Path, command: str, tmp_path: Path
) -> None:
    options = {
        "why": ("--at", "pages+0x1004"),
        "walk": ("--at", "exit"),
        "report": ("-o", str(tmp_path / "out.html")),
    }.get(command, ())
    last = ("pages",) if command == "walk" else ()
    outcome = emu(command, "--lab", solved, *options, demo, *last)
    assert outcome.status == 0, outcome.stderr


def test_a_trace_of_a_students_kernel_is_that_of_ours(solved: Path, demo: Path) -> None:
    def outcomes(*lab: str | Path) -> list[str]:
        file = solved / "trace.jsonl"
        assert emu("trace", "--deterministic", *lab, "-o", file, demo).status == 0
        records = map(json.loads, file.read_text().splitlines())
        faults = [record["outcome"] for record in records if record["event"] == "fault"]
        return [outcome for outcome in faults if outcome != "file"]  # labs fork all PTEs, ours not

    ours = outcomes()
    assert "copied" in ours
    assert outcomes("--lab", solved) == ours


def test_a_comparison_of_fork_policies_takes_no_lab(solved: Path, demo: Path) -> None:
    outcome = emu("compare", "--lab", solved, demo)
    assert outcome.status == 2
    assert "--lab" in outcome.stderr


def test_a_lab_folder_without_work_is_one_line(tmp_path: Path, demo: Path) -> None:
    outcome = emu("run", "--lab", tmp_path, demo)
    assert outcome.status == 2
    assert "no lab's file (expected" in outcome.stderr


def test_a_check_works_in_a_folder_that_can_not_be_written(solved: Path) -> None:
    shutil.rmtree(solved / ".lab", ignore_errors=True)
    (solved / ".lab").write_text("in the way")
    assert emu("lab", "check", "1", cwd=solved).status == 0
