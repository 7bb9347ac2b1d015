"""The allocator of frames whose decisions are a student's."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from emu.lab.failures import Finding, RuleBroken
from emu.lab.student import Student
from emu.machine.ram import Ram
from kernel.errors import OutOfMemory
from kernel.frames import Frames, Kind
from kernel.lazy import Indices, Ptes, np


class LabFrames(Frames):
    """Asks the lab ``frames`` for each frame, and keeps books of its own to look at the answers.

    What was taken before the student's code was there (the frame of zeroes) is not its business.
    """

    student: Student | None = None

    def __init__(self, ram: Ram) -> None:
        super().__init__(ram)
        self._kept = self._untouched

    def hand_over(self, student: Student) -> None:
        """From now on the student's allocator has the frames that are free."""
        student.use_own_frames(self.first + self._kept, self.total - self._kept)
        self.student = student

    # One by one.

    def _take(self, kind: Kind) -> tuple[int, bool]:
        if self.student is None:
            return super()._take(kind)
        self.allocations += 1
        if self.allocations == self._fail_at:
            raise OutOfMemory
        while True:
            try:
                name = "allocate_table" if kind is Kind.TABLE else "allocate"
                frame = self.student.call("frames", name)
                break
            except OutOfMemory:
                if free := self.total - self.used:
                    lines = [f"{free} frames are free, and {name}() found none"]
                    self._broken("running-out", lines)
                if not self.reclaim():
                    raise
        self.allocated(frame, kind)
        return frame, kind is Kind.TABLE

    def allocated(self, frame: int, kind: Kind) -> None:
        """The student's allocator has handed out ``frame``."""
        index = frame - self.first
        if not self._kept <= index < self.total:
            self._broken("frames-exist", [f"frame {frame:#x} is none of those to hand out"])
        if self._count[index]:
            self._broken(
                "handed-out-once",
                [f"frame {frame:#x} was handed out, and has {self._count[index]} users already"],
            )
        if kind is Kind.TABLE and any(self.ram.read_frame(frame)):
            self._broken("tables-are-zero", [f"the page table in frame {frame:#x} is not zeroes"])
        self._count[index] = 1
        self._kind[index] = kind
        self.tables_made += kind is Kind.TABLE
        self.used += 1
        self.peak = max(self.peak, self.used)

    def share(self, ppn: int) -> None:
        super().share(ppn)
        if self._is_students(ppn):
            self._call("share", ppn)

    def release(self, ppn: int) -> None:
        index = ppn - self.first
        left = self._count[index] - 1
        self._count[index] = left
        if not left:
            self._kind[index] = Kind.FREE
            self.used -= 1
        if self._is_students(ppn):
            self._call("release", ppn)

    def count(self, ppn: int) -> int:
        true = super().count(ppn)
        if self._is_students(ppn):
            told = self._call("count", ppn)
            if told != true:
                self._broken(
                    "counts-are-right",
                    [f"count({ppn:#x}) is {told}; the frame has {true} users"],
                )
        return true

    @property
    def touched(self) -> int:
        return self.total

    def free_frames(self) -> Indices:
        """Those without a user: which of them comes next is the student's affair."""
        free: Indices = np.flatnonzero(self.counts == 0) + self.first
        return free

    # Many at once.

    def share_all(self, ptes: Ptes) -> None:
        for index in self.indices(ptes).tolist():
            self.share(self.first + index)

    def release_all(self, ptes: Ptes) -> None:
        self.release_each((self.first + self.indices(ptes)).tolist())

    def release_many(self, ppns: Collection[int]) -> None:
        self.release_each(ppns)

    def release_each(self, ppns: Iterable[int]) -> None:
        for ppn in sorted(ppns, reverse=True):
            self.release(ppn)

    def _is_students(self, ppn: int) -> bool:
        student = self.student
        return student is not None and student.failed is None and ppn - self.first >= self._kept

    def _call(self, function: str, ppn: int) -> int:
        assert self.student is not None
        return self.student.call("frames", function, ppn)  # type: ignore[no-any-return]

    def _broken(self, name: str, lines: list[str]) -> None:
        raise RuleBroken(Finding(name, lines), "the allocator's answer is wrong")
