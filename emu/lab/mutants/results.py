"""Runs a lab's wrong solutions, and records which test detects each and by which finding.

A test that no wrong solution fails proves nothing, and a wrong solution that no test detects gets
full marks. The same run measures the tests that students write.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import NamedTuple

from emu.errors import DEFECT_STATUS, CommandError
from emu.lab.graded.submission import Test
from emu.lab.graded.test_kinds import RandomOperations
from emu.lab.host.student import LabFile
from emu.lab.host.worker_process import Worker
from emu.lab.mutants.cheats import CHEATS
from emu.lab.mutants.student_tests import StudentTest, read_folder, valid_tests
from emu.lab.workspace.catalogue import Lab


class WrongSolution(NamedTuple):
    """A file that must not pass: a mutant of the reference, or a cheat."""

    name: str
    breaks: str
    source: str
    detected_by: tuple[str, ...]
    """Names of tests and findings; one of them at least is expected to detect it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Results of the tests on one wrong solution."""

    wrong: WrongSolution
    findings: dict[str, str] = field(default_factory=dict)
    """Names of the failures, by the names of the tests that fail."""

    @property
    def survived(self) -> bool:
        return not self.findings

    @property
    def as_expected(self) -> bool:
        return any(is_expected(self.wrong, *each) for each in self.findings.items())


class NotJudged(CommandError):
    """The process that ran the tests on a wrong solution ended without a verdict."""

    status = DEFECT_STATUS

    def __init__(self, wrong: WrongSolution, status: int | None) -> None:
        super().__init__(f"{wrong.name}: the process that ran its tests ended with status {status}")


def is_expected(wrong: WrongSolution, test: str, finding: str) -> bool:
    """True when the wrong solution names the test or the finding."""
    return test in wrong.detected_by or finding in wrong.detected_by


def mutants_of(lab: Lab) -> list[WrongSolution]:
    reference = lab.solution
    return [
        WrongSolution(each.name, each.breaks, each.apply(reference), each.detected_by)
        for each in lab.mutants
    ]


def cheats_of(lab: Lab) -> list[WrongSolution]:
    return [
        WrongSolution(each.name, each.breaks, each.apply(lab), each.detected_by) for each in CHEATS
    ]


def judge(
    lab: Lab, wrong: WrongSolution, tests: Sequence[Test], *, stop_when_detected: bool = False
) -> Verdict:
    """Runs ``tests``; with ``stop_when_detected`` until one detects the solution as expected.

    Stops after a test in which the code does not return: each one would take seconds.
    """
    submission = lab.submission([LabFile(lab.name, lab.file, wrong.source)])
    verdict = Verdict(wrong)
    for test in tests:
        failure = _without_shrinking(test).run(submission)
        if failure is None:
            continue
        verdict.findings[test.name] = failure.name
        if failure.name == "too-long" or (stop_when_detected and verdict.as_expected):
            break
    return verdict


def _without_shrinking(test: Test) -> Test:
    """Copy of a random test that reports a failing sequence as it is."""
    return replace(test, shrinking=0) if isinstance(test, RandomOperations) else test


# The whole catalogue, in several processes.


@dataclass(frozen=True, slots=True)
class Table:
    """Verdicts of the tests on a lab's wrong solutions."""

    lab: Lab
    tests: Sequence[Test]
    verdicts: Sequence[Verdict]
    student_tests: Sequence[StudentTest] = ()
    """Valid and invalid tests of a student; empty when the lab's own tests were run."""

    @property
    def passed(self) -> bool:
        """True when every wrong solution is detected, and by the lab's own tests as expected."""
        if self.student_tests:
            return all(each.test for each in self.student_tests) and not any(
                verdict.survived for verdict in self.verdicts
            )
        return all(verdict.as_expected for verdict in self.verdicts)


def run_mutants(
    lab: Lab,
    folder: Path | None = None,
    *,
    jobs: int | None = None,
    report_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Table:
    """Runs all wrong solutions, with the lab's own tests or those of a student in ``folder``.

    ``report_progress`` is called twice a second with the number done and the total.
    Raises :class:`emu.lab.mutants.student_tests.NoOperations`.
    """
    student_tests = read_folder(folder, lab) if folder is not None else []
    tests = valid_tests(student_tests) if folder is not None else list(lab.tests)
    work = [(wrong, tests) for wrong in mutants_of(lab)]
    if folder is None:
        work += [(wrong, tests[:_CHEAT_TESTS]) for wrong in cheats_of(lab)]
    if tests:
        verdicts = _judge_all(lab, work, jobs or os.cpu_count() or 1, report_progress)
    else:
        verdicts = [Verdict(wrong) for wrong, _ in work]
    return Table(lab, tests, verdicts, student_tests)


_CHEAT_TESTS = 3
"""Number of tests that run on a cheat; the others would give the same results."""
_PROGRESS_SECONDS = 0.5
"""Maximum time between calls of ``report_progress``."""


def _judge_all(
    lab: Lab,
    work: Sequence[tuple[WrongSolution, Sequence[Test]]],
    jobs: int,
    report_progress: Callable[[int, int], None],
) -> list[Verdict]:
    """Verdicts in the order of ``work``, each from a process that ends with this one."""
    verdicts: dict[int, Verdict] = {}
    running: dict[Connection, tuple[int, Worker]] = {}
    numbers = iter(range(len(work)))
    try:
        while len(verdicts) < len(work):
            while len(running) < jobs and (number := next(numbers, None)) is not None:
                worker = Worker(_judge, lab, *work[number])
                running[worker.pipe] = number, worker
            for pipe in wait(list(running), _PROGRESS_SECONDS):
                assert isinstance(pipe, Connection)
                number, worker = running[pipe]
                del running[pipe]
                verdicts[number] = _receive(worker, work[number][0])
            report_progress(len(verdicts), len(work))
    finally:
        for _, worker in running.values():
            worker.stop()
    return [verdicts[number] for number in range(len(work))]


def _receive(worker: Worker, wrong: WrongSolution) -> Verdict:
    try:
        verdict: Verdict = worker.pipe.recv()
    except EOFError:
        worker.stop()
        raise NotJudged(wrong, worker.exitcode) from None
    worker.stop()
    return verdict


def _judge(pipe: Connection, lab: Lab, wrong: WrongSolution, tests: Sequence[Test]) -> None:
    pipe.send(judge(lab, wrong, tests))
