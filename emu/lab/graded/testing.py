"""Graded tests: what they are run on, what comes of them, and the kinds that play operations."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import ClassVar, Protocol

from emu.lab.outside.student import LabFile
from emu.lab.play.operations import FailAllocation, Operation
from emu.lab.play.playing import MACHINE_FRAMES, Failure, Stage, play, reference_files


@dataclass(frozen=True, slots=True)
class Submission:
    """A student's work on ``lab``: the file of that lab, and of others that are to be used too."""

    lab: str
    files: Sequence[LabFile]
    seed: int = 0
    """Of the random operations."""


class Test(Protocol):
    """One graded question about a lab."""

    @property
    def name(self) -> str: ...

    @property
    def question(self) -> str: ...

    @property
    def points(self) -> int: ...

    def run(self, submission: Submission) -> Failure | None:
        """What is wrong; None when nothing is."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one test."""

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


@dataclass(frozen=True, slots=True)
class Script:
    """One sequence of operations."""

    name: str
    question: str
    policy: str
    operations: Sequence[Operation]
    points: int = 5
    frames: int = MACHINE_FRAMES

    def run(self, submission: Submission) -> Failure | None:
        return play(Stage(submission.files, self.policy, self.frames), self.operations)


@dataclass(frozen=True, slots=True)
class EveryAllocation:
    """Has each allocation of ``operation`` fail in turn; what comes ``after`` must go well."""

    name: str
    question: str
    policy: str
    before: Sequence[Operation]
    operation: Operation
    after: Sequence[Operation]
    points: int = 10
    frames: int = MACHINE_FRAMES

    def run(self, submission: Submission) -> Failure | None:
        stage = Stage(submission.files, self.policy, self.frames)
        for number in range(1, self._allocations(submission) + 1):
            failing = [FailAllocation(number), self.operation, FailAllocation(0)]
            failure = play(stage, [*self.before, *failing, *self.after])
            if failure is not None:
                return failure
        return None

    def _allocations(self, submission: Submission) -> int:
        """How many the operation makes in the reference."""
        from emu.lab.play.world import World
        from kernel.fork import POLICIES

        files = reference_files(submission.files)
        world = World(self.frames, POLICIES[self.policy], files)
        try:
            for operation in self.before:
                world.do(operation)
            world.frames.start_counting()
            world.do(self.operation)
            return world.frames.allocations
        finally:
            world.close()


Maker = Callable[[random.Random], Operation]


@dataclass(frozen=True, slots=True)
class RandomOperations:
    """Sequences of random operations; one that fails is shrunk until nothing can be left out."""

    seeded: ClassVar[bool] = True
    """The submission's seed makes a difference: an instructor may have it run from others too."""

    name: str
    question: str
    policy: str
    make: Maker
    points: int = 15
    sequences: int = 12
    length: int = 40
    frames: Sequence[int] = field(default=(MACHINE_FRAMES, 60))
    """The sizes of the machines, in turn: in a small one memory runs out."""
    shrinking: float = 6.0
    """Seconds for looking for a shorter sequence."""

    def run(self, submission: Submission) -> Failure | None:
        source = random.Random(submission.seed)
        for number in range(self.sequences):
            stage = Stage(submission.files, self.policy, self.frames[number % len(self.frames)])
            operations = [self.make(source) for _ in range(self.length)]
            failure = play(stage, operations)
            if failure is not None:
                return shrunk(stage, failure, self.shrinking)
        return None


def shrunk(stage: Stage, failure: Failure, seconds: float) -> Failure:
    """The same failure by a sequence from which no operation, and no pair, can be left out."""
    end = monotonic() + seconds
    size = max(len(failure.operations) // 2, 1)
    while size and monotonic() < end:
        failure, shorter = _without(stage, failure, size, end)
        if not shorter:
            size //= 2
    return failure


def _without(stage: Stage, failure: Failure, size: int, end: float) -> tuple[Failure, bool]:
    """Leaves out ``size`` operations at a time, where the failure is the same without them."""
    shorter = False
    at = max(len(failure.operations) - 1 - size, 0)
    while monotonic() < end and len(failure.operations) > size:
        operations = failure.operations
        found = play(stage, [*operations[:at], *operations[at + size :]])
        if found is not None and found.name == failure.name:
            failure, shorter = found, True
        if not at:
            break
        at = max(min(at - size, len(failure.operations) - 1 - size), 0)
    return failure, shorter
