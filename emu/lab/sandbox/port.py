"""The sandbox's end of the connection to the grader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emu.lab.kit.frames import Frames, OutOfFrames
from emu.lab.kit.port import calling_place
from emu.lab.protocol import channel

_MAX_BATCH = 1000
"""Maximum number of commands in a message; each may contain a frame's bytes."""


class GraderPort:
    """Implements :class:`emu.lab.kit.port.Port`."""

    def __init__(self, requests: channel.Source, replies: int) -> None:
        self._requests, self._replies = requests, replies
        self._commands: list[list[Any]] = []
        self.on_flush: Callable[[], None] = lambda: None
        """Called when the machine has executed all commands."""

    def send_command(self, name: str, *values: Any) -> None:
        self._commands.append([name, *values])
        if len(self._commands) >= _MAX_BATCH:
            self.query("flush")

    def query(self, name: str, *values: Any) -> Any:
        self.reply({"query": [name, *values]})
        answer = channel.receive(self._requests)
        if answer.get("out_of_frames"):
            raise OutOfFrames
        return answer["answer"]

    def reply(self, message: dict[str, Any]) -> None:
        commands, self._commands = self._commands, []
        channel.send(self._replies, {"commands": commands, **message})
        self.on_flush()


class MachineFrames:
    """The machine's allocator; implements :class:`emu.lab.kit.frames.Frames`."""

    def __init__(self, port: GraderPort, zero: int) -> None:
        self.zero = zero
        self._port = port

    def allocate(self) -> int:
        return int(self._port.query("allocate", calling_place()))

    def allocate_table(self) -> int:
        return int(self._port.query("allocate_table", calling_place()))

    def allocate_superpage(self) -> int:
        return int(self._port.query("allocate_superpage", calling_place()))

    def share(self, frame: int) -> None:
        self._port.send_command("share", frame, calling_place())

    def release(self, frame: int) -> None:
        self._port.send_command("release", frame, calling_place())

    def count(self, frame: int) -> int:
        return int(self._port.query("count", frame))

    def is_private(self, frame: int) -> bool:
        return bool(self._port.query("is_private", frame))


class OwnFrames:
    """The student's allocator of the lab ``frames``, which reports its results to the machine.

    It manages the frames in ``managed``; others (the frame of zeroes) are the machine's.
    """

    def __init__(self, port: GraderPort, allocator: Any, managed: range, machine: Frames) -> None:
        self.allocator = allocator
        self._managed = managed
        self.zero = machine.zero
        self._port = port
        self._machine = machine

    def allocate(self) -> int:
        return self._allocate("allocate")

    def allocate_table(self) -> int:
        return self._allocate("allocate_table")

    def _allocate(self, name: str) -> int:
        try:
            frame = getattr(self.allocator, name)()
        except OutOfFrames:
            self._port.query("none_free", name)
            raise
        reported = frame if type(frame) is int else repr(frame)[:80]
        try:
            self._port.query("allocated", reported, name, calling_place())
        except OutOfFrames:  # a test makes this allocation fail
            self.allocator.release(frame)
            raise
        return frame  # type: ignore[no-any-return]

    def allocate_superpage(self) -> int:
        return self._machine.allocate_superpage()

    def share(self, frame: int) -> None:
        if frame in self._managed:
            self.allocator.share(frame)
        self._port.send_command("share", frame, calling_place())

    def release(self, frame: int) -> None:
        if frame in self._managed:
            self.allocator.release(frame)
        self._port.send_command("release", frame, calling_place())

    def count(self, frame: int) -> int:
        if frame not in self._managed:
            return self._machine.count(frame)
        return self.allocator.count(frame)  # type: ignore[no-any-return]

    def is_private(self, frame: int) -> bool:
        return self._machine.is_private(frame)
