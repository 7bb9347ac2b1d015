"""Sequences of calls of a student's allocator, with checks after each call.

:class:`~emu.lab.components.allocator.LabFrames` has its own records, and checks every result. This
module also fills the allocated frames, to detect an allocator that writes to frames in use.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from emu.lab.components.allocator import WRONG_ANSWER, LabFrames
from emu.lab.host.command_bus import CommandBus
from emu.lab.host.failures import Finding, StudentFailed
from emu.lab.host.shared_ram import SharedRam
from emu.lab.host.student import LabFile, Student
from emu.lab.host.student_process import Limits
from emu.lab.simulation.differential import Failure
from emu.machine.pte import PAGE_SHIFT, PAGE_SIZE
from kernel.base.errors import OutOfMemory
from kernel.mm.physical.frames import Kind

LAB = "frames"
Name = Literal["allocate", "allocate_table", "share", "release", "count"]


FREE_FRAME = -1
"""Value of ``Call.of``: the first free frame."""


class Call(NamedTuple):
    """One call, for the frame that the call with the number ``of``, from 1, allocated.

    A call for a frame that was not allocated, or is free, is skipped. A call that ``fails`` is for
    a free frame, and must raise ValueError; it is skipped for a frame in use.
    """

    name: Name
    of: int = 0
    fails: bool = False


class Pool:
    """A memory of ``frames`` frames, ``reserved`` of them not the student's; and the calls made."""

    def __init__(
        self,
        files: Sequence[LabFile],
        frames: int,
        reserved: int = 0,
        limits: Limits | None = None,
    ) -> None:
        self.ram = SharedRam(frames * PAGE_SIZE)
        self._reserved = reserved
        bus = self._start()
        files = [file for file in files if file.lab == LAB]
        self.student = Student(files, bus, limits)
        self.frames.use_student(self.student)

    def _start(self) -> CommandBus:
        self.frames = LabFrames(self.ram)
        self.log: list[str] = []
        """Calls in Python's syntax, with their results."""
        self._allocated: list[int | None] = []
        """Frame that each call allocated."""
        self._contents: dict[int, bytes] = {}
        for number in range(self._reserved):
            self._use(self.frames.allocate(Kind.PRIVATE), number)
        return CommandBus(self.ram, self.frames)

    def reset(self) -> None:
        """Replaces the allocator by a new one with empty memory, in the same process."""
        self.ram.discard(self.ram.first_ppn, self.ram.frame_count)
        self.student.bus = self._start()
        self.frames.use_student(self.student)

    def close(self) -> None:
        self.student.close()
        self.ram.close()

    @property
    def free(self) -> int:
        return self.frames.total - self.frames.used

    def do(self, call: Call) -> Finding | None:
        """Makes a call, and checks its effects. Raises StudentFailed."""
        frame = self._frame_of(call)
        self._allocated.append(None)
        finding = None
        if call.name in ("allocate", "allocate_table"):
            self._allocated[-1] = self._allocate(call.name)
        elif frame is None or bool(self.frames.actual_count(frame)) == call.fails:
            return None
        else:
            finding = self._call(call, frame)
        return finding or self._check_contents()

    def _frame_of(self, call: Call) -> int | None:
        if call.of == FREE_FRAME:
            return int(self.frames.free_frames()[0]) if self.free else None
        return self._allocated[call.of - 1] if 0 < call.of <= len(self._allocated) else None

    def _allocate(self, name: Name) -> int | None:
        self.log.append(f"{name}()")
        kind = Kind.TABLE if name == "allocate_table" else Kind.PRIVATE
        try:
            frame = self.frames.allocate(kind)
        except OutOfMemory:
            self.log[-1] += "  OutOfFrames, correct"
            return None
        self.log[-1] += f" → {frame:#x}"
        self._use(frame, len(self.log))
        return frame

    def _use(self, frame: int, number: int) -> None:
        """Fills the frame for its user; no byte is zero."""
        content = bytes([number % 255 + 1]) * PAGE_SIZE
        self.ram.write(frame << PAGE_SHIFT, content)
        self._contents[frame] = content

    def _call(self, call: Call, frame: int) -> Finding | None:
        self.log.append(f"{call.name}({frame:#x})")
        if call.fails:
            return self._check_refusal(call, frame)
        if call.name == "share":
            self.frames.share(frame)
        elif call.name == "release":
            self.frames.release(frame)
        true = self.frames.count(frame)
        users = f"{true} user{'s' * (true != 1)}"
        self.log[-1] += f" → {true}" if call.name == "count" else f"  {users if true else 'free'}"
        if not true:
            self._contents.pop(frame, None)
        return None

    def _check_refusal(self, call: Call, frame: int) -> Finding | None:
        reaction = "returned"
        try:
            if self.student.refuses(LAB, call.name, frame):
                self.log[-1] += "  ValueError, correct"
                self.frames.count(frame)
                return None
        except OutOfMemory:
            reaction = "raised OutOfFrames"
        return Finding(
            f"{call.name}-of-a-free-frame",
            [f"frame {frame:#x} is free: {call.name}() must raise ValueError, but {reaction}"],
        )

    def _check_contents(self) -> Finding | None:
        for frame, content in self._contents.items():
            found = self.ram.read_frame(frame)
            if found != content:
                at = next(at for at in range(PAGE_SIZE) if found[at] != content[at])
                users = self.frames.actual_count(frame)
                line = (
                    f"byte {at} of frame {frame:#x} is {found[at]:#04x} "
                    f"(expected {content[at]:#04x})"
                )
                return Finding(
                    "used-frames-are-left-alone",
                    [line, f"the frame has {users} user{'s' * (users != 1)}"],
                )
        return None


def play_calls(
    files: Sequence[LabFile], calls: Sequence[Call], frames: int, reserved: int = 0
) -> tuple[Failure, list[Call]] | None:
    """Returns the first failure, and the calls that lead to it; None if all calls succeed."""
    try:
        pool = Pool(files, frames, reserved)
    except StudentFailed as failed:
        return Failure.of(failed), []
    try:
        return play_in(pool, calls)
    finally:
        pool.close()


def play_in(pool: Pool, calls: Sequence[Call]) -> tuple[Failure, list[Call]] | None:
    """Plays calls as :func:`play_calls` does, in an existing pool."""
    for number, call in enumerate(calls, 1):
        try:
            finding = pool.do(call)
        except StudentFailed as failed:
            return failure_from(failed, pool.log), list(calls[:number])
        if finding is not None:
            return to_failure(finding, pool.log), list(calls[:number])
    return None


def failure_from(failed: StudentFailed, log: Sequence[str]) -> Failure:
    """Failure of the student's code, with the log of the calls."""
    if failed.name == "not-implemented":
        return Failure.of(failed)
    if failed.headline == WRONG_ANSWER:
        return to_failure(Finding(failed.name, failed.details), log)
    return Failure(failed.name, failed.headline, [*_numbered_lines(log), *failed.details])


def to_failure(finding: Finding, log: Sequence[str]) -> Failure:
    calls = f"{len(log)} call{'s' * (len(log) != 1)}"
    return Failure(finding.name, f"after {calls}", [*_numbered_lines(log), *finding.lines])


_MAX_SHOWN = 14


def _numbered_lines(log: Sequence[str]) -> list[str]:
    """Numbered lines of the log; of a long log only the last ones."""
    numbered = [f"{number:4}  {line}" for number, line in enumerate(log, 1)]
    if len(numbered) <= _MAX_SHOWN:
        return numbered
    return ["   …", *numbered[-_MAX_SHOWN:]]
