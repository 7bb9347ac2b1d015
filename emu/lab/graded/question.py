"""The question of a test, and how failures in its other operations are handled.

A mistake costs the tests that ask about it, not all in which it can be observed. A failure that an
earlier test of the lab also finds is excused where a test asks something else: the reference
repeats the operation, and the test continues from there with the student's code. There are two
reasons:

* The operation is only ``given``, as a preparation. Any failure found by an earlier test is excused
  there.
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

from emu.lab.host.failures import TooLong
from emu.lab.simulation.differential import Failure, Stage, play
from emu.lab.simulation.operations import Exec, Exit, Fork, Operation
from emu.lab.simulation.state_diff import Damage


@dataclass(frozen=True, slots=True)
class Given:
    """Operations that prepare a test's question."""

    operations: Sequence[Operation]


def given(*operations: Operation) -> Given:
    return Given(operations)


Known = Collection[tuple[str, str]]
"""Names of the failures found by earlier tests, each with the kind of operation."""


@dataclass(frozen=True, slots=True)
class Question:
    """A sequence of operations, and the question that it asks."""

    operations: Sequence[Operation]
    given: frozenset[int] = frozenset()
    """Indices of the operations that only prepare the question."""
    names: Collection[str] | None = None
    """Names of the failures that the question is about; None: all."""
    pages: Collection[int] = ()
    """Addresses of pages that must equal the reference's; if empty, all pages must be present."""

    @classmethod
    def of(
        cls,
        steps: Sequence[Operation | Given],
        names: Collection[str] | None,
        pages: Collection[int],
    ) -> Question:
        operations: list[Operation] = []
        is_given: set[int] = set()
        for step in steps:
            some = step.operations if isinstance(step, Given) else [step]
            if isinstance(step, Given):
                is_given.update(range(len(operations), len(operations) + len(some)))
            operations += some
        return cls(operations, frozenset(is_given), names, pages)

    @property
    def excuses(self) -> bool:
        """True when the question does not cover all failures."""
        return bool(self.given) or self.names is not None


_OF_A_PAGE = "isolation"
_KINDS = {Fork: "fork", Exit: "exit", Exec: "exit"}
"""Kind of an operation for a kernel; all others access memory."""


def kinds(failure: Failure) -> set[tuple[str, str]]:
    """Identifies a failure: its names, each with the kind of operation."""
    kind = _KINDS.get(type(failure.operations[-1]), "touch") if failure.operations else ""
    return {(name, kind) for name in failure.names}


def is_excused(failure: Failure, asked: Question, known: Known) -> bool:
    at = len(failure.operations) - 1
    if at < 0 or at in failure.stood_in or failure.name == TooLong.name:
        return False
    if not kinds(failure) <= set(known):
        return False
    if at in asked.given:
        return True
    damage = failure.damage
    if damage is None or damage.fatal or asked.names is None:
        return False
    if damage.pages & set(asked.pages) or (damage.missing and not asked.pages):
        return False
    return not damage.names & set(asked.names) - _elsewhere(damage, asked)


def _elsewhere(damage: Damage, asked: Question) -> set[str]:
    """Names that only say that pages differ which the question is not about."""
    return {_OF_A_PAGE} if damage.pages and asked.pages else set()


class Answer(NamedTuple):
    """Result of a question: the failure, and the operations that the reference did."""

    failure: Failure | None
    stood_in: frozenset[int]


def repeat_question(stage: Stage, asked: Question, known: Known, failure: Failure | None) -> Answer:
    """Repeats the question after a ``failure``, letting the reference do each excused operation."""
    while failure is not None and is_excused(failure, asked, known):
        at = len(failure.operations) - 1
        more = asked.given if at in asked.given else frozenset((at,))
        stage = replace(stage, stands_in=stage.stands_in | more)
        failure = play(stage, asked.operations)
    return Answer(failure, stage.stands_in)
