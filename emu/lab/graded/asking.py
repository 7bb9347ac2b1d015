"""What a test asks, of all that its operations show, and what is done about the rest.

A mistake costs the tests that ask about it, not all in which it can be seen. So a failure that an
earlier test of the lab has too is excused where a test asks something else: the operation is done
again by the reference, and the test goes on from there with the student's code. Two things excuse:

* The operation was only ``given``, as what leads to the question. Whatever an earlier test has is
  excused there.
* The student's code came back, with every page where it should be, and what is wrong has names for
  which the test does not ask.

What no earlier test has is never excused, so no mistake is lost; and the question itself is always
put to the student's own code. Where the allocator is the student's, nobody can stand in for it, and
code that does not return is not waited for again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from emu.lab.outside.failures import TooLong
from emu.lab.play.operations import Exec, Exit, Fork, Operation
from emu.lab.play.playing import Failure, Stage, play


@dataclass(frozen=True, slots=True)
class Given:
    """Operations that lead to a test's question."""

    operations: Sequence[Operation]


def given(*operations: Operation) -> Given:
    return Given(operations)


Known = Collection[tuple[str, str]]
"""Names of what earlier tests have found, each with the kind of operation in which it was."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A sequence, and what it asks."""

    operations: Sequence[Operation]
    given: frozenset[int] = frozenset()
    """Which of the operations only lead to the question, by their index."""
    names: Collection[str] | None = None
    """Names for which it asks; None: for whatever there is."""
    pages: Collection[int] = ()
    """Addresses of pages that have to be as they are in the reference; none: be there, all."""

    @classmethod
    def of(
        cls,
        steps: Sequence[Operation | Given],
        names: Collection[str] | None,
        pages: Collection[int],
    ) -> Asked:
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
        """Whether it asks less than all."""
        return bool(self.given) or self.names is not None


_KINDS = {Fork: "fork", Exit: "exit", Exec: "exit"}
"""What an operation is to a kernel; all others are touching memory."""


def kinds(failure: Failure) -> set[tuple[str, str]]:
    """What a failure is known by."""
    kind = _KINDS.get(type(failure.operations[-1]), "touch") if failure.operations else ""
    return {(name, kind) for name in failure.names}


def is_excused(failure: Failure, asked: Asked, known: Known) -> bool:
    at = len(failure.operations) - 1
    if at < 0 or at in failure.stood_in or failure.name == TooLong.name:
        return False
    if not kinds(failure) <= set(known):
        return False
    if at in asked.given:
        return True
    damage = failure.damage
    if damage is None or damage.fatal or asked.names is None or damage.names & set(asked.names):
        return False
    return not damage.pages & set(asked.pages)


class Answer(NamedTuple):
    """What is wrong in what was asked, and which operations the reference did."""

    failure: Failure | None
    stood_in: frozenset[int]


def put(stage: Stage, asked: Asked, known: Known, failure: Failure | None) -> Answer:
    """Asks again after a ``failure``, with the reference doing what is excused, while there is."""
    while failure is not None and is_excused(failure, asked, known):
        at = len(failure.operations) - 1
        more = asked.given if at in asked.given else frozenset((at,))
        stage = replace(stage, stands_in=stage.stands_in | more)
        failure = play(stage, asked.operations)
    return Answer(failure, stage.stands_in)
