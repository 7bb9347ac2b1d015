"""The question of a test, and how failures in its other operations are handled.

A mistake costs the tests that ask about it, not all in which it can be observed. A failure that an
earlier test of the lab also finds is excused where a test asks something else: the reference
repeats the operation, and the test continues from there with the student's code. There are two
reasons:

* The operation is only a preparation. Any failure found by an earlier test is excused there.
* The student's code returned, every page is where it should be, or each page of the test's question
  is, and the names of the failure are not those of the question.

A failure that no earlier test finds is never excused, so no mistake is lost; and the question
itself is always answered by the student's own code. The reference cannot replace a student's
allocator, and code that does not return is not run again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from emu.lab.host.failures import TimedOut
from emu.lab.simulation.differential import Failure, SimulationConfig, run_differential
from emu.lab.simulation.operations import Exec, Exit, Fork, Operation
from emu.lab.simulation.state_diff import StateDifference


@dataclass(frozen=True, slots=True)
class Preparation:
    """Operations that prepare a test's question."""

    operations: Sequence[Operation]


def prepare(*operations: Operation) -> Preparation:
    """Marks operations of a test as preparation."""
    return Preparation(operations)


KnownFailures = Collection[tuple[str, str]]
"""Names of the failures found by earlier tests, each with the kind of operation."""


@dataclass(frozen=True, slots=True)
class Question:
    """A sequence of operations, and the failures that it tests for."""

    operations: Sequence[Operation]
    preparation: frozenset[int] = frozenset()
    """Indices of the operations that only prepare the question."""
    names: Collection[str] | None = None
    """Names of the failures that the question is about; None: all."""
    pages: Collection[int] = ()
    """Addresses of pages that must equal the reference's; if empty, all pages must be present."""

    @classmethod
    def of(
        cls,
        steps: Sequence[Operation | Preparation],
        names: Collection[str] | None,
        pages: Collection[int],
    ) -> Question:
        operations: list[Operation] = []
        preparation: set[int] = set()
        for step in steps:
            some = step.operations if isinstance(step, Preparation) else [step]
            if isinstance(step, Preparation):
                preparation.update(range(len(operations), len(operations) + len(some)))
            operations += some
        return cls(operations, frozenset(preparation), names, pages)

    @property
    def excuses(self) -> bool:
        """True when the question does not cover all failures."""
        return bool(self.preparation) or self.names is not None


_PAGE_CONTENT = "isolation"
_KINDS = {Fork: "fork", Exit: "exit", Exec: "exit"}
"""Kind of an operation for a kernel; all others access memory."""


def failure_kinds(failure: Failure) -> set[tuple[str, str]]:
    """Returns the names of a failure, each with the kind of operation."""
    kind = _KINDS.get(type(failure.operations[-1]), "touch") if failure.operations else ""
    return {(name, kind) for name in failure.names}


def is_excused(failure: Failure, question: Question, known: KnownFailures) -> bool:
    """Returns True if the failure is known and not what the question tests for."""
    at = len(failure.operations) - 1
    if at < 0 or at in failure.reference_steps or failure.name == TimedOut.name:
        return False
    if not failure_kinds(failure) <= set(known):
        return False
    if at in question.preparation:
        return True
    difference = failure.difference
    if difference is None or difference.fatal or question.names is None:
        return False
    if difference.pages & set(question.pages) or (difference.missing and not question.pages):
        return False
    return not difference.names & set(question.names) - _elsewhere(difference, question)


def _elsewhere(difference: StateDifference, question: Question) -> set[str]:
    """Returns the names that refer to pages which the question does not test."""
    return {_PAGE_CONTENT} if difference.pages and question.pages else set()


class QuestionResult(NamedTuple):
    """Result of a question: the failure, and the operations that the reference executed."""

    failure: Failure | None
    reference_steps: frozenset[int]


def repeat_question(
    config: SimulationConfig, question: Question, known: KnownFailures, failure: Failure | None
) -> QuestionResult:
    """Repeats the question after a ``failure``; the reference executes each excused operation."""
    while failure is not None and is_excused(failure, question, known):
        at = len(failure.operations) - 1
        more = question.preparation if at in question.preparation else frozenset((at,))
        config = replace(config, reference_steps=config.reference_steps | more)
        failure = run_differential(config, question.operations)
    return QuestionResult(failure, config.reference_steps)
