"""Frame allocator that calls a student's allocator."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from emu.lab.host.failures import Finding, InvariantViolated, WrongResult
from emu.lab.host.student import Student
from emu.machine.ram import Ram
from kernel.base.errors import OutOfMemory
from kernel.base.lazy_numpy import Indices, Ptes, np
from kernel.mm.physical.frames import Frames, Kind

WRONG_ANSWER = "the allocator's answer is wrong"
"""Headline of failures that the machine's own counts show."""


class UnmarkedFrames(Frames):
    """Does not note which frames a fork shared: a student's fork need not do that."""

    def _mark_forked(self, indices: Indices | slice) -> None:
        return


class LabFrames(UnmarkedFrames):
    """Calls the lab ``frames`` for each frame, and keeps its own counts to check the results.

    Frames that were allocated before the student's code was loaded (the frame of zeroes) are not
    the student's.
    """

    student: Student | None = None

    def __init__(self, ram: Ram) -> None:
        super().__init__(ram)
        self._reserved = self._untouched

    def use_student(self, student: Student) -> None:
        """The student's allocator manages the free frames from now on."""
        self._reserved = self._untouched
        student.bus.accounting = _Accounting(self)
        student.use_own_frames(self.first + self._reserved, self.total - self._reserved)
        self.student = student

    # One by one.

    def allocate_zeroed(self, kind: Kind) -> int:
        """Leaves it to the student's allocator to zero a table."""
        if self.student is not None and kind is Kind.TABLE:
            return self._take(kind)
        return super().allocate_zeroed(kind)

    def _take(self, kind: Kind) -> int:
        if self.student is None:
            return super()._take(kind)
        self._count_allocation()
        name = "allocate_table" if kind is Kind.TABLE else "allocate"
        while True:
            try:
                frame: int = self.student.call("frames", name)
                break
            except OutOfMemory:
                self.none_free(name)
                if not self.reclaim():
                    raise
        self.allocated(frame, kind)
        return frame

    def _take_run(self, kind: int) -> tuple[int, bool]:
        """A student's allocator has no superpages: then memory consists of small pages."""
        if self.student is None:
            return super()._take_run(kind)
        raise OutOfMemory

    def _count_allocation(self) -> None:
        """Counts an allocation. Raises OutOfMemory if a test makes it fail."""
        self.allocations += 1
        if self.allocations == self._fail_at:
            raise OutOfMemory

    def share(self, ppn: int) -> None:
        super().share(ppn)
        if self._is_student_frame(ppn):
            self._call("share", ppn)

    def release(self, ppn: int) -> None:
        self.released(ppn)
        if self._is_student_frame(ppn):
            self._call("release", ppn)

    def count(self, ppn: int) -> int:
        actual = self.actual_count(ppn)
        if self._is_student_frame(ppn):
            returned = self._call("count", ppn)
            if returned != actual:
                self._broken(
                    "counts-are-right", [f"count({ppn:#x}) is {returned}; {_users_text(actual)}"]
                )
        return actual

    # The machine's own counts: no calls of the student's code.

    def actual_count(self, ppn: int) -> int:
        return super().count(ppn)

    def allocated(self, frame: int, kind: Kind) -> None:
        """Checks and counts a frame that the student's allocator returned."""
        index = frame - self.first
        if not self._reserved <= index < self.total:
            last = self.first + self.total - 1
            self._broken(
                "frames-exist",
                [
                    f"frame {frame:#x} is not one of yours: {self.first + self._reserved:#x} to "
                    f"{last:#x}"
                ],
            )
        if self._count[index]:
            self._broken(
                "handed-out-once",
                [f"frame {frame:#x} was handed out; {_users_text(self._count[index])}"],
            )
        if kind is Kind.TABLE and (content := self.ram.read_frame(frame)).strip(b"\0"):
            at = next(at for at, byte in enumerate(content) if byte)
            self._broken(
                "tables-are-zero",
                [f"byte {at} of the page table in frame {frame:#x} is {content[at]:#04x}"],
            )
        self._count[index] = 1
        self._kind[index] = kind
        self.tables_made += kind is Kind.TABLE
        self.used += 1
        self.peak = max(self.peak, self.used)

    def none_free(self, name: str) -> None:
        """Checks that no frame is free, after the student's allocator raised OutOfFrames."""
        if free := self.total - self.used:
            some = f"frame {int(self.free_frames()[0]):#x}"
            are = f"{free} frames are free, such as" if free > 1 else "one frame is free,"
            self._broken("running-out", [f"{name}() raised OutOfFrames; {are} {some}"])

    def shared(self, ppn: int) -> None:
        super().share(ppn)

    def released(self, ppn: int) -> None:
        index = ppn - self.first
        left = self._count[index] - 1
        self._count[index] = left
        if not left:
            self._kind[index] = Kind.FREE
            self.used -= 1

    @property
    def touched(self) -> int:
        return self.total

    def free_frames(self) -> Indices:
        """Returns the frames without a user; the student's allocator decides on their order."""
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

    def _is_student_frame(self, ppn: int) -> bool:
        student = self.student
        return student is not None and student.failed is None and ppn - self.first >= self._reserved

    def _call(self, function: str, ppn: int) -> int:
        assert self.student is not None
        try:
            return self.student.call("frames", function, ppn)  # type: ignore[no-any-return]
        except OutOfMemory:
            raise WrongResult(
                f"{function}({ppn:#x}) raised OutOfFrames, but allocates nothing"
            ) from None

    def _broken(self, name: str, lines: list[str]) -> None:
        raise InvariantViolated(Finding(name, lines), WRONG_ANSWER)


class _Accounting:
    """Counts what the student's other labs do to frames; they called their own allocator already.

    Implements :class:`emu.lab.host.command_bus.FrameAccounting`.
    """

    def __init__(self, frames: LabFrames) -> None:
        self._frames = frames
        self.count = frames.actual_count
        self.share = frames.shared
        self.release = frames.released

    def allocated(self, frame: int, kind: Kind) -> None:
        self._frames._count_allocation()
        self._frames.allocated(frame, kind)

    def none_free(self, name: str) -> None:
        self._frames.none_free(name)


def _users_text(users: int) -> str:
    return f"it has {users} user{'s' * (users != 1)}"
