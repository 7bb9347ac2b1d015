"""Runs a lab's wrong solutions: which test tells each, and by what.

Tests that no wrong solution fails prove nothing, and a wrong solution that no test tells gets full
marks. The same shows what tests are worth that students wrote.
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
from emu.lab.mutants.student_tests import Written, read_folder, valid
from emu.lab.workspace.catalogue import Lab


class Mutant(NamedTuple):
    """A file that must not pass: a wrong solution, or a cheat."""

    name: str
    breaks: str
    source: str
    caught: tuple[str, ...]
    """Names of tests and findings that are expected to tell it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What each test made of one mutant; ``caught`` has the finding's name by the test's."""

    mutant: Mutant
    caught: dict[str, str] = field(default_factory=dict)

    @property
    def survived(self) -> bool:
        return not self.caught

    @property
    def as_expected(self) -> bool:
        return any(told(self.mutant, *each) for each in self.caught.items())


class NotJudged(CommandError):
    """The process that judged a mutant has ended without a verdict."""

    status = DEFECT_STATUS

    def __init__(self, mutant: Mutant, status: int | None) -> None:
        super().__init__(f"{mutant.name}: the process that judged it ended with status {status}")


def told(mutant: Mutant, test: str, finding: str) -> bool:
    """Whether that is how the mutant should be told."""
    return test in mutant.caught or finding in mutant.caught


def wrong_of(lab: Lab) -> list[Mutant]:
    solution = lab.solution
    return [Mutant(w.name, w.breaks, w.apply(solution), w.caught) for w in lab.wrong]


def cheats_of(lab: Lab) -> list[Mutant]:
    return [Mutant(cheat.name, cheat.breaks, cheat.apply(lab), cheat.caught) for cheat in CHEATS]


def judge(lab: Lab, mutant: Mutant, tests: Sequence[Test], *, enough: bool = False) -> Verdict:
    """Runs ``tests`` on the mutant; with ``enough`` until one tells it as expected.

    One that does not come back is not asked again: it costs seconds each time.
    """
    submission = lab.submission([LabFile(lab.name, lab.file, mutant.source)])
    verdict = Verdict(mutant)
    for test in tests:
        failure = _quick(test).run(submission)
        if failure is None:
            continue
        verdict.caught[test.name] = failure.name
        if failure.name == "too-long" or (enough and verdict.as_expected):
            break
    return verdict


def _quick(test: Test) -> Test:
    """Here a failing sequence need not be the shortest."""
    return replace(test, shrinking=0) if isinstance(test, RandomOperations) else test


# The whole catalogue, on several processors.


@dataclass(frozen=True, slots=True)
class Table:
    """Who told whom; ``written`` are the students' tests where those were run."""

    lab: Lab
    tests: Sequence[Test]
    verdicts: Sequence[Verdict]
    written: Sequence[Written] = ()

    @property
    def good(self) -> bool:
        """Every mutant is told; by the lab's own tests, as expected too."""
        if self.written:
            return all(each.test for each in self.written) and not any(
                verdict.survived for verdict in self.verdicts
            )
        return all(verdict.as_expected for verdict in self.verdicts)


def mutants(
    lab: Lab,
    folder: Path | None = None,
    *,
    jobs: int | None = None,
    glance: Callable[[int, int], None] = lambda done, total: None,
) -> Table:
    """Runs them all; ``folder`` has tests that students wrote, in place of the lab's own.

    ``glance`` is called from time to time with the number done and the total.
    Raises :class:`emu.lab.written_tests.NoOperations`.
    """
    written = read_folder(folder, lab) if folder is not None else []
    tests = valid(written) if folder is not None else list(lab.tests)
    work = [(mutant, tests) for mutant in wrong_of(lab)]
    if folder is None:
        work += [(cheat, tests[:_FOR_CHEATS]) for cheat in cheats_of(lab)]
    if tests:
        verdicts = _judged(lab, work, jobs or os.cpu_count() or 1, glance)
    else:
        verdicts = [Verdict(mutant) for mutant, _ in work]
    return Table(lab, tests, verdicts, written)


_FOR_CHEATS = 3
"""Tests that a cheat is run on: to all others it would be the same."""
_GLANCE = 0.5
"""Seconds between calls of ``glance``."""


def _judged(
    lab: Lab,
    work: Sequence[tuple[Mutant, Sequence[Test]]],
    jobs: int,
    glance: Callable[[int, int], None],
) -> list[Verdict]:
    """Verdicts in the order of the work, each from a process that ends with this one."""
    verdicts: dict[int, Verdict] = {}
    running: dict[Connection, tuple[int, Worker]] = {}
    numbers = iter(range(len(work)))
    try:
        while len(verdicts) < len(work):
            while len(running) < jobs and (number := next(numbers, None)) is not None:
                worker = Worker(_judge, lab, *work[number])
                running[worker.pipe] = number, worker
            for pipe in wait(list(running), _GLANCE):
                assert isinstance(pipe, Connection)
                number, worker = running[pipe]
                del running[pipe]
                verdicts[number] = _receive(worker, work[number][0])
            glance(len(verdicts), len(work))
    finally:
        for _, worker in running.values():
            worker.stop()
    return [verdicts[number] for number in range(len(work))]


def _receive(worker: Worker, mutant: Mutant) -> Verdict:
    try:
        verdict: Verdict = worker.pipe.recv()
    except EOFError:
        worker.stop()
        raise NotJudged(mutant, worker.exitcode) from None
    worker.stop()
    return verdict


def _judge(pipe: Connection, lab: Lab, mutant: Mutant, tests: Sequence[Test]) -> None:
    pipe.send(judge(lab, mutant, tests))
