"""Kinds of graded tests that run operations: scripts, failing allocations, random sequences."""

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
    """A test of one sequence of operations."""

    name: str
    question: str
    policy: str
    operations: Sequence[Operation | Preparation]
    points: int = 5
    frames: int = MACHINE_FRAMES
    asks: Collection[str] | None = None
    """Names of the failures that it tests for; see :mod:`emu.lab.graded.question`."""
    about: Collection[int] = ()
    """Addresses of the pages that it tests."""

    def run(self, submission: Submission) -> Failure | None:
        return submission.result_of(self)

    def examine(self, submission: Submission) -> Failure | None:
        config = SimulationConfig(submission.files, submission.solutions, self.policy, self.frames)
        question = Question.of(self.operations, self.asks, self.about)
        return _examine(self, submission, config, question).failure


@dataclass(frozen=True, slots=True)
class EveryAllocation:
    """Makes each allocation of ``operation`` fail in turn; operations ``after`` must succeed."""

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
    """Names of the failures of the operation that it tests for."""

    def run(self, submission: Submission) -> Failure | None:
        return submission.result_of(self)

    def examine(self, submission: Submission) -> Failure | None:
        config = SimulationConfig(submission.files, submission.solutions, self.policy, self.frames)
        helped = False
        for number in range(1, self._allocations(submission) + 1):
            question = self._question(
                prepare(FailAllocation(number)), prepare(FailAllocation(0)), self.asks
            )
            failure, reference_steps = _examine(self, submission, config, question)
            if failure is not None:
                return failure
            helped = helped or bool(reference_steps)
            config = replace(config, reference_steps=reference_steps & question.preparation)
        return self._without_failing_allocation(submission) if helped else None

    def _question(
        self, fails: Preparation, works: Preparation, asks: Collection[str] | None
    ) -> Question:
        """Returns the question about the operation; those before and after it are preparation."""
        steps = [prepare(*self.before), fails, self.operation, works, prepare(*self.after)]
        return Question.of(steps, asks, ())

    def _without_failing_allocation(self, submission: Submission) -> Failure | None:
        """Checks that the operation succeeds if memory is available: code that always runs out of
        memory does not pass.
        """
        config = SimulationConfig(submission.files, submission.solutions, self.policy, self.frames)
        return _examine(self, submission, config, self._question(prepare(), prepare(), ())).failure

    def _allocations(self, submission: Submission) -> int:
        """Returns the number of allocations of the operation in the reference."""
        config = SimulationConfig(submission.files, submission.solutions, self.policy, self.frames)
        world = config.reference()
        try:
            for operation in self.before:
                world.do(operation)
            world.frames.start_counting()
            world.do(self.operation)
            return world.frames.allocations
        finally:
            world.close()


def _examine(
    test: Test, submission: Submission, config: SimulationConfig, question: Question
) -> QuestionResult:
    """Runs a question, excusing failures that earlier tests report."""
    failure = run_differential(config, question.operations)
    reference_steps = config.reference_steps
    if failure is None or not question.excuses or not submission.replaceable:
        return QuestionResult(failure, reference_steps)
    return repeat_question(config, question, submission.known_failures(test), failure)


OperationSource = Callable[[random.Random], Operation]


@dataclass(frozen=True, slots=True)
class RandomOperations:
    """Sequences of random operations; one that fails is shrunk until nothing can be left out."""

    seeded: ClassVar[bool] = True
    """The result depends on the submission's seed: an instructor can choose others."""

    name: str
    question: str
    policy: str
    make: OperationSource
    points: int = 15
    sequences: int = 12
    length: int = 40
    frames: Sequence[int] = field(default=(MACHINE_FRAMES, 60))
    """Numbers of frames of the machines, in turn: a small one runs out of memory."""
    shrinking: float = 6.0
    """Time limit for shrinking, in seconds."""

    def run(self, submission: Submission) -> Failure | None:
        source = random.Random(submission.seed)
        for number in range(self.sequences):
            frames = self.frames[number % len(self.frames)]
            config = SimulationConfig(submission.files, submission.solutions, self.policy, frames)
            operations = [self.make(source) for _ in range(self.length)]
            failure = run_differential(config, operations)
            if failure is not None:
                return shrink(config, failure, self.shrinking)
        return None


def shrink(config: SimulationConfig, failure: Failure, seconds: float) -> Failure:
    """Returns the same failure with a sequence from which no operation or pair can be removed."""
    end = monotonic() + seconds
    size = max(len(failure.operations) // 2, 1)
    while size and monotonic() < end:
        failure, shorter = _without(config, failure, size, end)
        if not shorter:
            size //= 2
    return failure


def _without(
    config: SimulationConfig, failure: Failure, size: int, end: float
) -> tuple[Failure, bool]:
    """Removes ``size`` operations at a time if the failure remains the same."""
    shorter = False
    at = max(len(failure.operations) - 1 - size, 0)
    while monotonic() < end and len(failure.operations) > size:
        operations = failure.operations
        found = run_differential(config, [*operations[:at], *operations[at + size :]])
        if found is not None and found.name == failure.name:
            failure, shorter = found, True
        if not at:
            break
        at = max(min(at - size, len(failure.operations) - 1 - size), 0)
    return failure, shorter
