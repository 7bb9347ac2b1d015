"""Graded tests of the lab ``frames``: calls given, calls at random, and very many calls."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import ClassVar

from emu.lab.components.allocator import WRONG_ANSWER
from emu.lab.graded.question import failure_kinds
from emu.lab.graded.submission import Submission
from emu.lab.host.failures import Finding, InvariantViolated, StudentFailed
from emu.lab.host.student import LabFile
from emu.lab.host.student_process import Limits
from emu.lab.labs.frames.call_sequences import (
    LAB,
    Call,
    Pool,
    failure_of,
    play_calls,
    play_in,
    told,
)
from emu.lab.simulation.differential import Failure
from kernel.base.errors import OutOfMemory
from kernel.mm.frames import Kind


@dataclass(frozen=True, slots=True)
class Calls:
    """Sequences of calls, each in a fresh memory; those of the first sequence come first.

    A sequence that fails in the same way as an earlier test is skipped (see
    :mod:`emu.lab.graded.question`), but at least one sequence must succeed.
    """

    name: str
    question: str
    sequences: Sequence[Sequence[Call]]
    points: int = 4
    frames: int = 8
    kept: int = 0
    """So many of the frames are not the student's to hand out, beside the frame of zeroes."""
    asks: Collection[str] = ()
    """Names of the failures to report even if another test finds them too."""

    def run(self, submission: Submission) -> Failure | None:
        return submission.result_of(self)

    def examine(self, submission: Submission) -> Failure | None:
        excused: list[Failure] = []
        for calls in self.sequences:
            found = play_calls(submission.files, calls, self.frames, self.kept)
            if found is None:
                continue
            if found[0].name in self.asks or not failure_kinds(
                found[0]
            ) <= submission.known_failures(self):
                return found[0]
            excused.append(found[0])
        return excused[0] if len(excused) == len(self.sequences) else None


@dataclass(frozen=True, slots=True)
class RandomCalls:
    """Random calls; of a sequence that fails the shortest part is told that fails too."""

    seeded: ClassVar[bool] = True

    name: str
    question: str
    make: Callable[[random.Random, Sequence[Call]], Call]
    """A call to come after others."""
    points: int = 12
    sequences: int = 10
    length: int = 250
    frames: Sequence[int] = field(default=(8, 24, 64))

    def run(self, submission: Submission) -> Failure | None:
        source = random.Random(submission.seed)
        for number in range(self.sequences):
            calls: list[Call] = []
            for _ in range(self.length):
                calls.append(self.make(source, calls))
            frames = self.frames[number % len(self.frames)]
            found = play_calls(submission.files, calls, frames)
            if found is not None:
                return shortest(submission.files, frames, *found)
        return None


_SHRINKING = 6.0
"""Seconds for looking for a shorter sequence."""
_NOTHING = Call("count")
"""Takes the place of a call that is left out, so that the numbers of the others stay."""


def shortest(
    files: Sequence[LabFile], frames: int, failure: Failure, calls: Sequence[Call]
) -> Failure:
    """The same failure after as few calls as can be found in a while."""
    shrinker = _Shrinker(files, frames, failure.name)
    try:
        short = shrinker.shrunk(calls)
    finally:
        shrinker.close()
    again = play_calls(files, short, frames)
    return again[0] if again is not None and again[0].name == failure.name else failure


class _Shrinker:
    """Looks for a shorter sequence with the same failure, in as few processes as will do."""

    def __init__(self, files: Sequence[LabFile], frames: int, name: str) -> None:
        self._files, self._frames, self._name = files, frames, name
        self._pool: Pool | None = None
        self._end = monotonic() + _SHRINKING

    def close(self) -> None:
        if self._pool is not None:
            self._pool.close()

    def shrunk(self, calls: Sequence[Call]) -> Sequence[Call]:
        size = max(len(calls) // 2, 1)
        while size and monotonic() < self._end:
            shorter = self._without(calls, size)
            if shorter is None:
                size //= 2
            else:
                calls = shorter
        return calls

    def _without(self, calls: Sequence[Call], size: int) -> Sequence[Call] | None:
        """What is left without runs of ``size`` calls that matter nothing; None if all do."""
        left = None
        for at in range(0, len(calls), size):
            without = [*calls[:at], *[_NOTHING] * size, *calls[at + size :]]
            if monotonic() > self._end or without[: len(calls)] == list(calls):
                continue
            found = self._played(without)
            if found is not None:
                left = calls = found
        return left

    def _played(self, calls: Sequence[Call]) -> Sequence[Call] | None:
        """The calls up to the failure, when it is the same."""
        try:
            pool = self._fresh()
        except StudentFailed:
            return None
        found = play_in(pool, calls)
        return found[1] if found is not None and found[0].name == self._name else None

    def _fresh(self) -> Pool:
        pool = self._pool
        if pool is not None and pool.student.failed is None:
            pool.begin_again()
            return pool
        self.close()
        self._pool = None
        self._pool = pool = Pool(self._files, self._frames)
        return pool


@dataclass(frozen=True, slots=True)
class ManySharers:
    """One frame, shared so often that a small counter is full."""

    name: str
    question: str
    users: int
    points: int = 4

    def run(self, submission: Submission) -> Failure | None:
        failure = _in_pool(submission, 8, self._play)
        if failure is None or not failure_kinds(failure) <= submission.known_failures(self):
            return failure
        return _in_pool(submission, 8, self._share)

    def _play(self, pool: Pool) -> Finding | None:
        frame = self._shared(pool)
        while pool.free:
            pool.said.append("allocate()")
            pool.said[-1] += f" → {pool.frames.allocate(Kind.PRIVATE):#x}"
        pool.said.append(f"release({frame:#x})")
        pool.frames.release(frame)
        pool.said.append("allocate()")
        pool.frames.allocate(Kind.PRIVATE)
        return None

    def _share(self, pool: Pool) -> Finding | None:
        """Allocates without checking the frames returned meanwhile."""
        self._shared(pool)
        return None

    def _shared(self, pool: Pool) -> int:
        """Returns a frame that had all those users and has one left."""
        frames = pool.frames
        frame = frames.allocate(Kind.PRIVATE)
        pool.said.append(f"allocate() → {frame:#x}")
        more = self.users - 1
        pool.said.append(f"share({frame:#x}), {more:,} times")
        pool.student.call_each(LAB, "share", [[frame]] * more)
        for _ in range(more):
            frames.shared(frame)
        frames.count(frame)
        pool.said.append(f"release({frame:#x}), {more:,} times")
        pool.student.call_each(LAB, "release", [[frame]] * more)
        for _ in range(more):
            frames.released(frame)
        frames.count(frame)
        return frame


_PORTION = 4096
_QUICK = Limits(cpu_seconds=8)
"""Ten times what is needed, and not nearly enough for a look at all frames each time."""


@dataclass(frozen=True, slots=True)
class LargeMemory:
    """All of a large memory, twice: an allocator that looks through all frames is too slow."""

    name: str
    question: str
    frames: int
    points: int = 4

    def run(self, submission: Submission) -> Failure | None:
        return _in_pool(submission, self.frames, self._play, _QUICK)

    def _play(self, pool: Pool) -> Finding | None:
        for _ in range(2):
            taken = self._take_all(pool)
            pool.said.append(f"release() of all {len(taken):,}, the last one first")
            for some in _portions([[frame] for frame in reversed(taken)]):
                for (frame,) in some:
                    pool.frames.released(frame)
                pool.student.call_each(LAB, "release", some)
        return None

    def _take_all(self, pool: Pool) -> list[int]:
        count = pool.free
        pool.said.append(f"allocate(), {count:,} times")
        taken: list[int] = []
        try:
            for some in _portions([[]] * count):
                taken += pool.student.call_each(LAB, "allocate", some)
        except OutOfMemory:
            lines = [f"allocate() raised OutOfFrames before all {count:,} were handed out"]
            raise InvariantViolated(Finding("running-out", lines), WRONG_ANSWER) from None
        for frame in taken:
            pool.frames.allocated(frame, Kind.PRIVATE)
        return taken


def _portions(calls: Sequence[Sequence[int]]) -> Iterator[Sequence[Sequence[int]]]:
    """What is made in one go: the process keeps what it wrote until the machine has it."""
    for at in range(0, len(calls), _PORTION):
        yield calls[at : at + _PORTION]


def _in_pool(
    submission: Submission,
    frames: int,
    play: Callable[[Pool], Finding | None],
    limits: Limits | None = None,
) -> Failure | None:
    try:
        pool = Pool(submission.files, frames, limits=limits)
    except StudentFailed as failed:
        return Failure.of(failed)
    try:
        finding = play(pool)
    except StudentFailed as failed:
        return failure_of(failed, pool.said)
    except OutOfMemory:
        lines = [f"OutOfFrames was raised: {pool.free} frames are free, or need not be"]
        return told(Finding("running-out", lines), pool.said)
    finally:
        pool.close()
    return told(finding, pool.said) if finding is not None else None
