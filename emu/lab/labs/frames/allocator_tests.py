"""Kinds of graded tests of the lab ``frames``: listed calls, random calls, and very many calls."""

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
    failure_from,
    play_calls,
    play_in,
    to_failure,
)
from emu.lab.simulation.differential import Failure
from kernel.base.errors import OutOfMemory
from kernel.mm.physical.frames import Kind


@dataclass(frozen=True, slots=True)
class Calls:
    """Plays sequences of calls in order, each in a new memory.

    A sequence that fails in the same way as an earlier test is skipped (see
    :mod:`emu.lab.graded.question`), but at least one sequence must succeed.
    """

    name: str
    question: str
    sequences: Sequence[Sequence[Call]]
    points: int = 4
    frames: int = 8
    reserved: int = 0
    """Number of frames, besides the frame of zeroes, that do not belong to the student's pool."""
    asks: Collection[str] = ()
    """Names of the failures to report even if another test finds them too."""

    def run(self, submission: Submission) -> Failure | None:
        return submission.result_of(self)

    def examine(self, submission: Submission) -> Failure | None:
        excused: list[Failure] = []
        for calls in self.sequences:
            found = play_calls(submission.files, calls, self.frames, self.reserved)
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
    """Plays random calls, and reduces a failing sequence before it is reported."""

    seeded: ClassVar[bool] = True

    name: str
    question: str
    make: Callable[[random.Random, Sequence[Call]], Call]
    """Makes a random call to follow the given ones."""
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


_SHRINK_SECONDS = 6.0
"""Time limit of the search for a shorter sequence."""
_OMITTED = Call("count")
"""Replaces an omitted call, so that the numbers of the other calls are unchanged."""


def shortest(
    files: Sequence[LabFile], frames: int, failure: Failure, calls: Sequence[Call]
) -> Failure:
    """Searches, for a limited time, the shortest sequence of calls with the same failure."""
    shrinker = _Shrinker(files, frames, failure.name)
    try:
        short = shrinker.shrunk(calls)
    finally:
        shrinker.close()
    again = play_calls(files, short, frames)
    return again[0] if again is not None and again[0].name == failure.name else failure


class _Shrinker:
    """Searches for a shorter sequence with the same failure; reuses a process while possible."""

    def __init__(self, files: Sequence[LabFile], frames: int, name: str) -> None:
        self._files, self._frames, self._name = files, frames, name
        self._pool: Pool | None = None
        self._end = monotonic() + _SHRINK_SECONDS

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
        """Omits groups of ``size`` calls that are not needed; None if all are needed."""
        left = None
        for at in range(0, len(calls), size):
            without = [*calls[:at], *[_OMITTED] * size, *calls[at + size :]]
            if monotonic() > self._end or without[: len(calls)] == list(calls):
                continue
            found = self._failing_prefix(without)
            if found is not None:
                left = calls = found
        return left

    def _failing_prefix(self, calls: Sequence[Call]) -> Sequence[Call] | None:
        """The calls up to the failure, if it is the same one; otherwise None."""
        try:
            pool = self._fresh_pool()
        except StudentFailed:
            return None
        found = play_in(pool, calls)
        return found[1] if found is not None and found[0].name == self._name else None

    def _fresh_pool(self) -> Pool:
        pool = self._pool
        if pool is not None and pool.student.failed is None:
            pool.reset()
            return pool
        self.close()
        self._pool = None
        self._pool = pool = Pool(self._files, self._frames)
        return pool


@dataclass(frozen=True, slots=True)
class ManySharers:
    """Shares one frame so often that a small counter overflows."""

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
        frame = self._share_and_release(pool)
        while pool.free:
            pool.log.append("allocate()")
            pool.log[-1] += f" → {pool.frames.allocate(Kind.PRIVATE):#x}"
        pool.log.append(f"release({frame:#x})")
        pool.frames.release(frame)
        pool.log.append("allocate()")
        pool.frames.allocate(Kind.PRIVATE)
        return None

    def _share(self, pool: Pool) -> Finding | None:
        """Allocates without checking the frames returned meanwhile."""
        self._share_and_release(pool)
        return None

    def _share_and_release(self, pool: Pool) -> int:
        """Returns a frame that had all those users and has one left."""
        frames = pool.frames
        frame = frames.allocate(Kind.PRIVATE)
        pool.log.append(f"allocate() → {frame:#x}")
        more = self.users - 1
        pool.log.append(f"share({frame:#x}), {more:,} times")
        pool.student.call_each(LAB, "share", [[frame]] * more)
        for _ in range(more):
            frames.shared(frame)
        frames.count(frame)
        pool.log.append(f"release({frame:#x}), {more:,} times")
        pool.student.call_each(LAB, "release", [[frame]] * more)
        for _ in range(more):
            frames.released(frame)
        frames.count(frame)
        return frame


_BATCH = 4096
_QUICK = Limits(cpu_seconds=8)
"""Ten times the time of a fast allocator, and far below that of one that searches all frames."""


@dataclass(frozen=True, slots=True)
class LargeMemory:
    """Allocates all of a large memory, twice: an allocator that searches all frames is too slow."""

    name: str
    question: str
    frames: int
    points: int = 4

    def run(self, submission: Submission) -> Failure | None:
        return _in_pool(submission, self.frames, self._play, _QUICK)

    def _play(self, pool: Pool) -> Finding | None:
        for _ in range(2):
            allocated_frames = self._allocate_all(pool)
            pool.log.append(
                f"release() of all {len(allocated_frames):,} frames, the last one first"
            )
            for batch in _batches([[frame] for frame in reversed(allocated_frames)]):
                for (frame,) in batch:
                    pool.frames.released(frame)
                pool.student.call_each(LAB, "release", batch)
        return None

    def _allocate_all(self, pool: Pool) -> list[int]:
        count = pool.free
        pool.log.append(f"allocate(), {count:,} times")
        allocated_frames: list[int] = []
        try:
            for batch in _batches([[]] * count):
                allocated_frames += pool.student.call_each(LAB, "allocate", batch)
        except OutOfMemory:
            lines = [f"allocate() raised OutOfFrames before all {count:,} frames were allocated"]
            raise InvariantViolated(Finding("running-out", lines), WRONG_ANSWER) from None
        for frame in allocated_frames:
            pool.frames.allocated(frame, Kind.PRIVATE)
        return allocated_frames


def _batches(calls: Sequence[Sequence[int]]) -> Iterator[Sequence[Sequence[int]]]:
    """Batches of calls: the student's process buffers its results until the end of a batch."""
    for at in range(0, len(calls), _BATCH):
        yield calls[at : at + _BATCH]


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
        return failure_from(failed, pool.log)
    except OutOfMemory:
        lines = [f"OutOfFrames was raised, but {pool.free} frames are free"]
        return to_failure(Finding("running-out", lines), pool.log)
    finally:
        pool.close()
    return to_failure(finding, pool.log) if finding is not None else None
