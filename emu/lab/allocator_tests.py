"""Graded tests of the lab ``frames``: calls given, calls at random, and very many calls."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import ClassVar

from emu.lab.allocations import LAB, Call, Pool, failure_of, play_calls, told
from emu.lab.failures import Finding, RuleBroken, StudentFailed
from emu.lab.parts.allocator import WRONG_ANSWER
from emu.lab.playing import Failure
from emu.lab.student import LabFile
from emu.lab.testing import Submission
from kernel.errors import OutOfMemory
from kernel.frames import Kind


@dataclass(frozen=True, slots=True)
class Calls:
    """Sequences of calls, each in a fresh memory; those of the first sequence come first."""

    name: str
    question: str
    sequences: Sequence[Sequence[Call]]
    points: int = 5
    frames: int = 16
    kept: int = 0
    """So many of the frames are not the student's to hand out, beside the frame of zeroes."""

    def run(self, submission: Submission) -> Failure | None:
        for calls in self.sequences:
            found = play_calls(submission.files, calls, self.frames, self.kept)
            if found is not None:
                return found[0]
        return None


@dataclass(frozen=True, slots=True)
class RandomCalls:
    """Random calls; of a sequence that fails the shortest part is told that fails too."""

    seeded: ClassVar[bool] = True

    name: str
    question: str
    make: Callable[[random.Random, int], Call]
    """A call to come after so many others."""
    points: int = 15
    sequences: int = 10
    length: int = 250
    frames: Sequence[int] = field(default=(8, 24, 64))

    def run(self, submission: Submission) -> Failure | None:
        source = random.Random(submission.seed)
        for number in range(self.sequences):
            calls = [self.make(source, before) for before in range(self.length)]
            frames = self.frames[number % len(self.frames)]
            found = play_calls(submission.files, calls, frames)
            if found is not None:
                return shortest(submission.files, frames, *found)
        return None


_SHRINKING = 6.0
"""Seconds for looking for a shorter sequence."""
_NOTHING = Call("count")
"""Takes the place of a call that is left out, so that the numbers of the others stay."""


def shortest(files: Sequence[LabFile], frames: int, failure: Failure, calls: list[Call]) -> Failure:
    """The same failure after as few calls as can be found in a while."""
    end = monotonic() + _SHRINKING
    size = max(len(calls) // 2, 1)
    while size and monotonic() < end:
        shorter = False
        for at in range(0, len(calls), size):
            without = [*calls[:at], *[_NOTHING] * size, *calls[at + size :]]
            if monotonic() > end or without == calls:
                continue
            found = play_calls(files, without, frames)
            if found is not None and found[0].name == failure.name:
                failure, calls = found
                shorter = True
        if not shorter:
            size //= 2
    return failure


@dataclass(frozen=True, slots=True)
class ManySharers:
    """One frame, shared so often that a small counter is full."""

    name: str
    question: str
    users: int
    points: int = 5

    def run(self, submission: Submission) -> Failure | None:
        return _in_pool(submission, 8, self._play)

    def _play(self, pool: Pool) -> Finding | None:
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
        while pool.free:
            pool.said.append("allocate()")
            pool.said[-1] += f" → {frames.allocate(Kind.PRIVATE):#x}"
        pool.said.append(f"release({frame:#x})")
        frames.release(frame)
        pool.said.append("allocate()")
        frames.allocate(Kind.PRIVATE)
        return None


@dataclass(frozen=True, slots=True)
class LargeMemory:
    """All of a large memory, twice: an allocator that looks through all frames is too slow."""

    name: str
    question: str
    frames: int
    points: int = 5

    def run(self, submission: Submission) -> Failure | None:
        return _in_pool(submission, self.frames, self._play)

    def _play(self, pool: Pool) -> Finding | None:
        for _ in range(2):
            taken = self._take_all(pool)
            pool.said.append(f"release() of all {len(taken):,}, the last one first")
            pool.student.call_each(LAB, "release", [[frame] for frame in reversed(taken)])
            for frame in taken:
                pool.frames.released(frame)
        return None

    def _take_all(self, pool: Pool) -> list[int]:
        count = pool.free
        pool.said.append(f"allocate(), {count:,} times")
        try:
            taken: list[int] = pool.student.call_each(LAB, "allocate", [[]] * count)
        except OutOfMemory:
            lines = [f"allocate() raised OutOfFrames before all {count:,} were handed out"]
            raise RuleBroken(Finding("running-out", lines), WRONG_ANSWER) from None
        for frame in taken:
            pool.frames.allocated(frame, Kind.PRIVATE)
        return taken


def _in_pool(
    submission: Submission, frames: int, play: Callable[[Pool], Finding | None]
) -> Failure | None:
    try:
        pool = Pool(submission.files, frames)
    except StudentFailed as failed:
        return Failure(failed.name, failed.headline, failed.details)
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
