"""Calls of a student's allocator, one after the other, and what must hold after each.

The books are kept by :class:`~emu.lab.components.allocator.LabFrames`, which looks at every answer;
here the frames are used besides, so that an allocator that writes where it must not is found out.
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
from kernel.mm.frames import Kind

LAB = "frames"
Name = Literal["allocate", "allocate_table", "share", "release", "count"]


NOBODYS = -1


class Call(NamedTuple):
    """One call; ``of`` says which frame: the number of the call, from 1, that allocated it.

    With -1 it is for a frame that nobody has: the first of those that are free.

    A call for a frame that was not allocated, or that is free, is left out: unless it ``fails``,
    when it is for a frame that is free and must be refused with a ValueError.
    """

    name: Name
    of: int = 0
    fails: bool = False


class Pool:
    """A memory of ``frames`` frames, ``kept`` of which somebody else has; and the calls so far."""

    def __init__(
        self,
        files: Sequence[LabFile],
        frames: int,
        kept: int = 0,
        limits: Limits | None = None,
    ) -> None:
        self.ram = SharedRam(frames * PAGE_SIZE)
        self._kept = kept
        bus = self._begin()
        files = [file for file in files if file.lab == LAB]
        self.student = Student(files, bus, limits or Limits())
        self.frames.use_student(self.student)

    def _begin(self) -> CommandBus:
        self.frames = LabFrames(self.ram)
        self.said: list[str] = []
        """The calls as the student would write them, with their results."""
        self._got: list[int | None] = []
        """The frame that each call allocated."""
        self._bytes: dict[int, bytes] = {}
        for number in range(self._kept):
            self._use(self.frames.allocate(Kind.PRIVATE), number)
        return CommandBus(self.ram, self.frames)

    def begin_again(self) -> None:
        """A new allocator with a fresh memory, in the same process."""
        self.ram.discard(self.ram.first_ppn, self.ram.frame_count)
        self.student.bus = self._begin()
        self.frames.use_student(self.student)

    def close(self) -> None:
        self.student.close()
        self.ram.close()

    @property
    def free(self) -> int:
        return self.frames.total - self.frames.used

    def do(self, call: Call) -> Finding | None:
        """Raises StudentFailed."""
        frame = self._frame_of(call)
        self._got.append(None)
        finding = None
        if call.name in ("allocate", "allocate_table"):
            self._got[-1] = self._allocate(call.name)
        elif frame is None or bool(self.frames.actual_count(frame)) == call.fails:
            return None
        else:
            finding = self._on(call, frame)
        return finding or self._all_bytes_kept()

    def _frame_of(self, call: Call) -> int | None:
        if call.of == NOBODYS:
            return int(self.frames.free_frames()[0]) if self.free else None
        return self._got[call.of - 1] if 0 < call.of <= len(self._got) else None

    def _allocate(self, name: Name) -> int | None:
        self.said.append(f"{name}()")
        kind = Kind.TABLE if name == "allocate_table" else Kind.PRIVATE
        try:
            frame = self.frames.allocate(kind)
        except OutOfMemory:
            self.said[-1] += "  OutOfFrames, rightly"
            return None
        self.said[-1] += f" → {frame:#x}"
        self._use(frame, len(self.said))
        return frame

    def _use(self, frame: int, number: int) -> None:
        """What has the frame writes to it: no byte is zero."""
        content = bytes([number % 255 + 1]) * PAGE_SIZE
        self.ram.write(frame << PAGE_SHIFT, content)
        self._bytes[frame] = content

    def _on(self, call: Call, frame: int) -> Finding | None:
        self.said.append(f"{call.name}({frame:#x})")
        if call.fails:
            return self._refused(call, frame)
        if call.name == "share":
            self.frames.share(frame)
        elif call.name == "release":
            self.frames.release(frame)
        true = self.frames.count(frame)
        users = f"{true} user{'s' * (true != 1)}"
        self.said[-1] += f" → {true}" if call.name == "count" else f"  {users if true else 'free'}"
        if not true:
            self._bytes.pop(frame, None)
        return None

    def _refused(self, call: Call, frame: int) -> Finding | None:
        came = "came back"
        try:
            if self.student.refuses(LAB, call.name, frame):
                self.said[-1] += "  ValueError, rightly"
                self.frames.count(frame)
                return None
        except OutOfMemory:
            came = "raised OutOfFrames"
        return Finding(
            f"{call.name}-of-a-free-frame",
            [f"frame {frame:#x} is free: {call.name}() has to raise ValueError, and {came}"],
        )

    def _all_bytes_kept(self) -> Finding | None:
        for frame, content in self._bytes.items():
            found = self.ram.read_frame(frame)
            if found != content:
                at = next(at for at in range(PAGE_SIZE) if found[at] != content[at])
                users = self.frames.actual_count(frame)
                line = (
                    f"byte {at} of frame {frame:#x} is {found[at]:#04x}, and was {content[at]:#04x}"
                )
                return Finding(
                    "used-frames-are-left-alone",
                    [line, f"it has {users} user{'s' * (users != 1)}: their memory was written"],
                )
        return None


def play_calls(
    files: Sequence[LabFile], calls: Sequence[Call], frames: int, kept: int = 0
) -> tuple[Failure, list[Call]] | None:
    """The first thing that is wrong, if anything is, and the calls that lead there."""
    try:
        pool = Pool(files, frames, kept)
    except StudentFailed as failed:
        return Failure.of(failed), []
    try:
        return play_in(pool, calls)
    finally:
        pool.close()


def play_in(pool: Pool, calls: Sequence[Call]) -> tuple[Failure, list[Call]] | None:
    """:func:`play_calls` in a pool that is there."""
    for number, call in enumerate(calls, 1):
        try:
            finding = pool.do(call)
        except StudentFailed as failed:
            return failure_of(failed, pool.said), list(calls[:number])
        if finding is not None:
            return told(finding, pool.said), list(calls[:number])
    return None


def failure_of(failed: StudentFailed, said: Sequence[str]) -> Failure:
    """What ended the calls, below the calls."""
    if failed.name == "not-implemented":
        return Failure.of(failed)
    if failed.headline == WRONG_ANSWER:
        return told(Finding(failed.name, failed.details), said)
    return Failure(failed.name, failed.headline, [*_listed(said), *failed.details])


def told(finding: Finding, said: Sequence[str]) -> Failure:
    calls = f"{len(said)} call{'s' * (len(said) != 1)}"
    return Failure(finding.name, f"after {calls}", [*_listed(said), *finding.lines])


_MOST_SHOWN = 14


def _listed(said: Sequence[str]) -> list[str]:
    """The calls, numbered; of many only the last ones."""
    numbered = [f"{number:4}  {line}" for number, line in enumerate(said, 1)]
    if len(numbered) <= _MOST_SHOWN:
        return numbered
    return ["   …", *numbered[-_MOST_SHOWN:]]
