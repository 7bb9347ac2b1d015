"""A student's work and the graded tests that run on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol, runtime_checkable

from emu.lab.graded.question import failure_kinds
from emu.lab.host.student import LabFile
from emu.lab.simulation.differential import Failure


@dataclass(frozen=True, slots=True)
class Submission:
    """A student's work on ``lab``: the file of that lab, and those of other labs to use with it."""

    lab: str
    files: Sequence[LabFile]
    tests: Sequence[Test]
    """The lab's graded tests, in order."""
    solutions: Sequence[LabFile]
    """The reference solution of each of ``files``."""
    seed: int = 0
    """Seed of the random operations."""
    found: dict[str, tuple[Test, Failure | None]] = field(
        default_factory=dict, compare=False, repr=False
    )
    """Results of tests by name, so that each runs once."""

    def known_failures(self, test: Test) -> set[tuple[str, str]]:
        """Returns the failures of the tests that precede ``test``, which later tests may excuse."""
        known: set[tuple[str, str]] = set()
        for earlier in self.tests:
            if earlier.name == test.name:
                break
            if isinstance(earlier, SelectiveTest):
                failure = self.result_of(earlier)
                known |= failure_kinds(failure) if failure is not None else set()
        return known

    def result_of(self, test: Test) -> Failure | None:
        """Returns the failure of a test, which is run at most once."""
        before = self.found.get(test.name)
        if before is None or before[0] is not test:
            failure = test.examine(self) if isinstance(test, SelectiveTest) else test.run(self)
            before = self.found[test.name] = test, failure
        return before[1]

    def fails(self, name: str) -> bool:
        """Returns True if the test of the lab with that name fails."""
        return any(self.result_of(test) is not None for test in self.tests if test.name == name)

    @property
    def replaceable(self) -> bool:
        """True if the reference can replace the code: a student's allocator has its own state."""
        return all(file.lab != "frames" for file in self.files)


class Test(Protocol):
    """A graded test: one question about a lab."""

    @property
    def name(self) -> str: ...

    @property
    def question(self) -> str: ...

    @property
    def points(self) -> int: ...

    def run(self, submission: Submission) -> Failure | None:
        """Returns the first failure, or None."""


@runtime_checkable
class SelectiveTest(Test, Protocol):
    """A test that checks part of its operations; failures in others may be excused."""

    def examine(self, submission: Submission) -> Failure | None:
        """Runs the test; ``run`` caches the result."""


@dataclass(frozen=True, slots=True)
class Result:
    """Result of one test."""

    test: Test
    failure: Failure | None
    seconds: float

    @property
    def passed(self) -> bool:
        return self.failure is None

    @property
    def points(self) -> int:
        return self.test.points if self.passed else 0


def run(test: Test, submission: Submission) -> Result:
    began = monotonic()
    failure = test.run(submission)
    return Result(test, failure, monotonic() - began)
