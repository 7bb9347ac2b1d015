"""The kinds of graded tests that run operations: scripts, failing allocations, random sequences."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import ClassVar

from emu.lab.graded.question import Preparation, Question, QuestionResult, prepare, repeat_question
from emu.lab.graded.submission import Submission, Test
from emu.lab.simulation.differential import (
    MACHINE_FRAMES,
    Failure,
    SimulationConfig,
    run_differential,
)
from emu.lab.simulation.operations import FailAllocation, Operation


@dataclass(frozen=True, slots=True)
class Script:
    """One sequence of operations."""

    name: str
    question: str
    policy: str
    operations: Sequence[Operation | Preparation]
    points: int = 5
    frames: int = MACHINE_FRAMES
    asks: Collection[str] | None = None
    """Names of the failures that it asks about; see :mod:`emu.lab.graded.question`."""
    about: Collection[int] = ()
    """Addresses of the pages that it asks about."""

    def run(self, submission: Submission) -> Failure | None:
        return submission.result_of(self)

    def examine(self, submission: Submission) -> Failure | None:
        stage = SimulationConfig(submission.files, submission.solutions, self.policy, self.frames)
        asked = Question.of(self.operations, self.asks, self.about)
        return _examine(self, submission, stage, asked).failure


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
    asks: Collection[str] | None = (
        *("count-is-the-number-of-holders", "mapped-frames-are-in-use", "nothing-is-lost"),
        *("running-out", "used-frames-are-left-alone"),
    )
    """Names of the failures of the operation that it asks about."""

    def run(self, submission: Submission) -> Failure | None:
        return submission.result_of(self)

    def examine(self, submission: Submission) -> Failure | None:
        stage = SimulationConfig(submission.files, submission.solutions, self.policy, self.frames)
        helped = False
        for number in range(1, self._allocations(submission) + 1):
            asked = self._question(
                prepare(FailAllocation(number)), prepare(FailAllocation(0)), self.asks
            )
            failure, reference_steps = _examine(self, submission, stage, asked)
            if failure is not None:
                return failure
            helped = helped or bool(reference_steps)
            stage = replace(stage, reference_steps=reference_steps & asked.preparation)
        return self._without_failing_allocation(submission) if helped else None

    def _question(
        self, fails: Preparation, works: Preparation, asks: Collection[str] | None
    ) -> Question:
        """Question about the operation; those before and after it are only given."""
        steps = [prepare(*self.before), fails, self.operation, works, prepare(*self.after)]
        return Question.of(steps, asks, ())

    def _without_failing_allocation(self, submission: Submission) -> Failure | None:
        """Checks first that the operation succeeds when memory is available: code that always runs
        out of memory does not answer the question.
        """
        stage = SimulationConfig(submission.files, submission.solutions, self.policy, self.frames)
        return _examine(self, submission, stage, self._question(prepare(), prepare(), ())).failure

    def _allocations(self, submission: Submission) -> int:
        """How many the operation makes in the reference."""
        stage = SimulationConfig(submission.files, submission.solutions, self.policy, self.frames)
        world = stage.reference()
        try:
            for operation in self.before:
                world.do(operation)
            world.frames.start_counting()
            world.do(self.operation)
            return world.frames.allocations
        finally:
            world.close()


def _examine(
    test: Test, submission: Submission, stage: SimulationConfig, asked: Question
) -> QuestionResult:
    """Result of the student's code, with failures excused that earlier tests report."""
    failure = run_differential(stage, asked.operations)
    reference_steps = stage.reference_steps
    if failure is None or not asked.excuses or not submission.replaceable:
        return QuestionResult(failure, reference_steps)
    return repeat_question(stage, asked, submission.known_failures(test), failure)


OperationSource = Callable[[random.Random], Operation]


@dataclass(frozen=True, slots=True)
class RandomOperations:
    """Sequences of random operations; one that fails is shrunk until nothing can be left out."""

    seeded: ClassVar[bool] = True
    """The submission's seed makes a difference: an instructor may have it run from others too."""

    name: str
    question: str
    policy: str
    make: OperationSource
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
            frames = self.frames[number % len(self.frames)]
            stage = SimulationConfig(submission.files, submission.solutions, self.policy, frames)
            operations = [self.make(source) for _ in range(self.length)]
            failure = run_differential(stage, operations)
            if failure is not None:
                return shrink(stage, failure, self.shrinking)
        return None


def shrink(stage: SimulationConfig, failure: Failure, seconds: float) -> Failure:
    """The same failure by a sequence from which no operation, and no pair, can be left out."""
    end = monotonic() + seconds
    size = max(len(failure.operations) // 2, 1)
    while size and monotonic() < end:
        failure, shorter = _without(stage, failure, size, end)
        if not shorter:
            size //= 2
    return failure


def _without(
    stage: SimulationConfig, failure: Failure, size: int, end: float
) -> tuple[Failure, bool]:
    """Leaves out ``size`` operations at a time, where the failure is the same without them."""
    shorter = False
    at = max(len(failure.operations) - 1 - size, 0)
    while monotonic() < end and len(failure.operations) > size:
        operations = failure.operations
        found = run_differential(stage, [*operations[:at], *operations[at + size :]])
        if found is not None and found.name == failure.name:
            failure, shorter = found, True
        if not at:
            break
        at = max(min(at - size, len(failure.operations) - 1 - size), 0)
    return failure, shorter
