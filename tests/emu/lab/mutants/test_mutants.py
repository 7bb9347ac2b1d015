"""Does ``emu lab mutants`` show which mutants a lab's or a student's tests detect?"""

from __future__ import annotations

from pathlib import Path

import pytest

from emu.lab.mutants import results as module
from emu.lab.mutants.report import lines, summary
from emu.lab.mutants.results import (
    Table,
    Verdict,
    WrongSolution,
    judge,
    mutants_of,
    run_mutants,
)
from emu.lab.mutants.student_tests import NoOperations, read_folder
from emu.lab.workspace.catalogue import find

COW = find("cow-fork")
GOOD = """# does the parent not see what the child stores?
fork 1
store 2 data+8 0x5a   -> copied
load 1 data+8         -> 0x13
load 2 data+8         -> 0x5a
store 2 constants 1   -> killed
"""


def mutant(name: str) -> WrongSolution:
    return next(each for each in mutants_of(COW) if each.name == name)


def verdict_on(name: str, *tests: str) -> Verdict:
    return judge(COW, mutant(name), [test for test in COW.tests if test.name in tests])


def write_tests(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / f"{name}.ops").write_text(text)
    return folder


# The lab's own tests.


def test_each_test_that_detects_a_mutant_is_named_with_its_finding() -> None:
    verdict = verdict_on("parent-keeps-w", "fork-shares", "fork-again")
    assert verdict.findings == dict.fromkeys(
        ("fork-shares", "fork-again"), "shared-is-not-writable"
    )
    assert verdict.as_expected


def test_a_mutant_that_no_test_detects_survives() -> None:
    verdict = verdict_on("no-rollback", "fork-shares", "child-stores")
    assert verdict.survived and not verdict.as_expected


def test_a_mutant_that_is_detected_by_something_else_is_not_as_expected() -> None:
    wanted = mutant("no-reuse")._replace(detected_by=("read-only-is-kept",))
    verdict = judge(COW, wanted, [test for test in COW.tests if test.name == "sole-owner-reuse"])
    assert not verdict.survived and not verdict.as_expected
    table = Table(COW, COW.tests, [verdict])
    assert not table.passed
    assert "no-reuse is detected, but not by read-only-is-kept" in list(summary(table))


def test_no_test_runs_after_the_first_that_detects_a_mutant() -> None:
    verdict = judge(COW, mutant("parent-keeps-w"), COW.tests, stop_when_detected=True)
    assert list(verdict.findings) == [COW.tests[0].name]


def test_the_table_names_tests_by_number_and_says_what_survives() -> None:
    findings = {test.name: "isolation" for test in COW.tests[:3]} | {COW.tests[4].name: "raised"}
    verdicts = [
        Verdict(mutant("copies-no-bytes"), findings),
        Verdict(mutant("no-rollback")),
    ]
    shown = "\n".join(lines(Table(COW, COW.tests, verdicts)))
    assert "copies-no-bytes          isolation (1-3); raised (5)" in shown
    assert "no-rollback              SURVIVES: a fork that runs out of frames" in shown
    assert "other-tables detects no wrong solution" in shown
    assert "1 of 2 wrong solutions are detected: 50 %" in shown


# Tests that a student wrote.


def test_a_students_test_is_a_sequence_with_what_is_expected(tmp_path: Path) -> None:
    (test,) = read_folder(write_tests(tmp_path, apart=GOOD), COW)
    assert not test.invalid and test.test is not None
    assert test.test.question == "does the parent not see what the child stores?"
    verdict = judge(COW, mutant("copies-no-bytes"), [test.test])
    assert verdict.findings == {"apart": "isolation"}
    assert judge(COW, mutant("no-rollback"), [test.test]).survived


@pytest.mark.parametrize(
    "text, why",
    [
        ("fork 1\nstroe 2 data 1\n", "line 2: unknown operation 'stroe'"),
        ("fork 1\nstore 2 data+8 1 -> reused\n", "line 2: pid 2 stores 0x01 to 0x13008: expected"),
        ("load 1 data -> 0x99\n", "line 1: pid 1 loads from 0x13000: expected 0x99"),
        ("load 1 data -> perhaps\n", "line 1: 'perhaps' is not a result (expected ok, copied"),
        ("fork 1\n-> ok\n", "line 2: -> without an operation"),
        ("# nothing\n", "line 1: 0 operations"),
        ("import os\nos._exit(0)\n", "line 1: unknown operation 'import'"),
    ],
)
def test_a_test_that_the_reference_does_not_pass_is_invalid(
    tmp_path: Path, text: str, why: str
) -> None:
    (test,) = read_folder(write_tests(tmp_path, mine=text), COW)
    assert test.test is None
    assert test.invalid.startswith(why)


def test_a_folder_is_scored_by_the_wrong_solutions_that_it_detects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = [mutant(name) for name in ("copies-no-bytes", "no-rollback", "count-not-incremented")]
    monkeypatch.setattr(module, "mutants_of", lambda lab: few)
    folder = write_tests(tmp_path, apart=GOOD, bad="fork\n")
    table = run_mutants(COW, folder, jobs=1)
    shown = list(lines(table))
    assert not table.passed
    assert any(line.startswith("  -  bad: invalid: line 1") for line in shown)
    assert "1 of 2 tests are valid: the reference passes them" in shown
    assert shown[-1] == "2 of 3 wrong solutions are detected: 66 %"


def test_a_folder_without_tests_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoOperations, match=r"no tests \(expected files NAME\.ops"):
        read_folder(tmp_path, COW)


def test_a_lab_that_plays_no_operations_has_none_to_be_write_tests(tmp_path: Path) -> None:
    class Bare:
        name = "bare"
        tests = ()

    with pytest.raises(NoOperations, match="lab bare: no test plays operations"):
        read_folder(tmp_path, Bare())  # type: ignore[arg-type]
