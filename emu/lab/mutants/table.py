"""Runs a lab's wrong solutions: which test tells each, and by what.

Tests that no wrong solution fails prove nothing, and a wrong solution that no test tells gets full
marks. The same shows what tests are worth that students wrote.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from emu.lab.catalogue import Lab, find
from emu.lab.graded.testing import RandomOperations, Submission, Test
from emu.lab.mutants.cheats import CHEATS
from emu.lab.mutants.written_tests import Written, read_folder, valid
from emu.lab.outside.student import LabFile


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
    submission = Submission(lab.name, [LabFile(lab.name, lab.file, mutant.source)])
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
    done: Callable[[Verdict], None] = lambda verdict: None,
) -> Table:
    """Runs them all; ``folder`` has tests that students wrote, in place of the lab's own.

    ``done`` is told of each. Raises :class:`emu.lab.written_tests.NoOperations`.
    """
    written = read_folder(folder, lab) if folder is not None else []
    tests = valid(written) if folder is not None else list(lab.tests)
    count = len(wrong_of(lab)) + (0 if folder is not None else len(CHEATS))
    verdicts = []
    if tests:
        for verdict in _judged(lab, count, folder, jobs or os.cpu_count() or 1):
            done(verdict)
            verdicts.append(verdict)
    else:
        verdicts = [Verdict(mutant) for mutant in wrong_of(lab)]
    return Table(lab, tests, verdicts, written)


def _judged(lab: Lab, count: int, folder: Path | None, jobs: int) -> Iterator[Verdict]:
    with ProcessPoolExecutor(jobs, initializer=_begin, initargs=(lab.name, folder)) as pool:
        yield from pool.map(_judge_number, range(count))


_work: tuple[Lab, list[Mutant], list[Test]]
"""Of this process: tests and mutants are made in each, for they can't all be sent."""


_FOR_CHEATS = 3
"""Tests that a cheat is run on: to all others it would be the same."""


def _begin(name: str, folder: Path | None) -> None:
    global _work  # noqa: PLW0603 (how a pool's process is set up)
    lab = find(name)
    if folder is None:
        _work = lab, [*wrong_of(lab), *cheats_of(lab)], list(lab.tests)
    else:
        _work = lab, wrong_of(lab), valid(read_folder(folder, lab))


def _judge_number(number: int) -> Verdict:
    lab, all_mutants, tests = _work
    is_cheat = number >= len(lab.wrong)
    return judge(lab, all_mutants[number], tests[:_FOR_CHEATS] if is_cheat else tests)
