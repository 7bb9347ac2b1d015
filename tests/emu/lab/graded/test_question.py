"""Does a mistake cost only the points of the tests that cover it?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from emu.lab.graded.question import Preparation, prepare
from emu.lab.graded.submission import Submission
from emu.lab.graded.submission import Test as Graded
from emu.lab.graded.test_kinds import Script
from emu.lab.host.student import LabFile
from emu.lab.mutants.cheats import CHEATS
from emu.lab.simulation.differential import Failure, SimulationConfig, run_differential
from emu.lab.simulation.initial_layout import CONSTANTS, DATA
from emu.lab.simulation.operations import Fork, Operation, Store
from emu.lab.workspace.catalogue import find
from tests.emu.lab.submissions import submission

COW = find("cow-fork")


def graded(name: str) -> Graded:
    return next(test for test in COW.tests if test.name == name)


def wrong(*names: str) -> Submission:
    """The reference with these mistakes from the catalogue."""
    source = COW.solution
    for name in names:
        source = next(each for each in COW.mutants if each.name == name).apply(source)
    return submission(COW, source)


def failure(name: str, work: Submission) -> Failure | None:
    return graded(name).run(work)


# Excused failures.


@pytest.mark.parametrize(
    "mistake, test",
    [
        ("parent-keeps-w", "child-stores"),
        ("parent-keeps-w", "kernel-writes"),
        ("parent-keeps-w", "fork-runs-out"),
        ("read-only-marked", "shared-memory"),
        ("copies-no-bytes", "sole-owner-reuse"),
        ("old-frame-kept", "one-copy-only"),
        ("read-only-left-out", "shared-memory"),
        ("read-only-left-out", "parent-stores"),
    ],
)
def test_a_test_with_another_question_passes(mistake: str, test: str) -> None:
    assert failure(test, wrong(mistake)) is None


@pytest.mark.parametrize(
    "mistake, test, name",
    [
        ("parent-keeps-w", "fork-again", "shared-is-not-writable"),
        ("parent-keeps-w", "parent-stores", "shared-is-not-writable"),
        ("read-only-marked", "read-only-is-kept", "pages-and-mappings-agree"),
        ("shared-memory-marked", "shared-memory", "pages-and-mappings-agree"),
        ("old-frame-kept", "nothing-is-lost", "count-is-the-number-of-holders"),
        ("copies-no-bytes", "parent-stores", "isolation"),
        ("no-rollback", "fork-runs-out", "count-is-the-number-of-holders"),
        ("read-only-left-out", "read-only-is-kept", "isolation"),
    ],
)
def test_a_test_that_asks_about_the_mistake_fails(mistake: str, test: str, name: str) -> None:
    found = failure(test, wrong(mistake))
    assert found is not None
    assert found.name == name


def test_a_second_mistake_is_found_after_the_first() -> None:
    found = failure("child-stores", wrong("parent-keeps-w", "copies-no-bytes"))
    assert found is not None and found.name == "isolation"
    assert found.reference_steps == {0}


def test_a_failure_that_no_earlier_test_reports_is_not_excused() -> None:
    operations: list[Operation | Preparation] = [prepare(Fork(1)), Store(2, DATA, 1)]
    first = Script(COW.tests[0].name, "is anything before it?", "cow", operations)
    found = first.run(wrong("parent-keeps-w"))
    assert found is not None and found.name == "shared-is-not-writable"
    later = replace(first, name="last")
    assert later.run(wrong("parent-keeps-w")) is None


def test_correct_given_operations_are_done_by_the_students_code() -> None:
    operations: list[Operation | Preparation] = [
        prepare(Fork(1)),
        Store(2, CONSTANTS, 1),
        Store(2, DATA, 1),
    ]
    found = Script("last", "is it?", "cow", operations).run(wrong("returns-a-string"))
    assert found is None  # the process was killed by the first store
    operations = [prepare(Fork(1)), Store(2, DATA, 1)]
    found = Script("last", "is it?", "cow", operations).run(wrong("returns-a-string"))
    assert found is not None and found.reference_steps == frozenset()


def test_code_that_does_not_run_is_never_excused() -> None:
    cheat = next(each for each in CHEATS if each.name == "leaves-it-to-the-reference")
    found = failure("nothing-is-lost", submission(COW, cheat.apply(COW)))
    assert found is not None and found.name == "raised"


def test_a_fork_that_always_runs_out_of_memory_fails_the_tests_of_running_out() -> None:
    source = COW.solution.replace(
        "    child = frames.allocate_table()\n", "    raise OutOfFrames\n"
    )
    found = failure("fork-runs-out", submission(COW, source))
    assert found is not None and found.name == "right-outcome"


def test_the_reference_does_not_replace_a_students_allocator() -> None:
    frames = find("frames")
    work = wrong("parent-keeps-w")
    files = [*work.files, LabFile(frames.name, frames.file, frames.solution)]
    found = failure("child-stores", COW.submission(files))
    assert found is not None and found.name == "shared-is-not-writable"


# Reports.


def test_a_failure_is_replayed_with_the_operations_of_the_reference() -> None:
    work = wrong("parent-keeps-w", "copies-no-bytes")
    found = failure("child-stores", work)
    assert found is not None
    stage = SimulationConfig(
        work.files, work.solutions, found.policy, found.frames, found.reference_steps
    )
    again = run_differential(stage, found.operations)
    assert again is not None
    assert (again.name, again.when, again.lines) == (found.name, found.when, found.lines)


def test_a_pte_written_by_the_reference_is_not_attributed_to_the_student() -> None:
    """The parent's PTE, correct after fork, was written by the reference at a later store."""
    source = (
        wrong("parent-keeps-w")
        .files[0]
        .source.replace("if frames.count(frame) == 1:", "if frames.count(frame) <= 2:")
    )
    found = failure("child-stores", submission(COW, source))
    assert found is not None and found.name == "shared-is-not-writable"
    report = "\n".join(found.lines)
    assert "cow_fork.py" in report and "in store_fault()" in report
    assert "the reference cow" not in report


def test_state_left_by_the_students_code_is_not_blamed_on_the_reference() -> None:
    """A parent whose tables were lost when its fork ran out of memory cannot be forked at all."""
    source = COW.solution.replace(
        "        release_tables(memory, frames, child)\n        raise\n",
        "        release_tables(memory, frames, child)\n"
        "        memory.store((parent << PAGE_SHIFT) + 8, 0)\n"
        "        raise\n",
    )
    found = failure("fork-runs-out", submission(COW, source))
    assert found is not None
    assert "the reference cow_fork.py" not in "\n".join([found.when, *found.lines])
