"""The student's end of the line to the grader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emu.lab.kit.frames import Frames, OutOfFrames
from emu.lab.kit.port import place
from emu.lab.protocol import channel

_MOST_TOGETHER = 1000
"""Orders in a message; each may have a frame's bytes in it."""


class GraderPort:
    """Implements :class:`emu.lab.kit.port.Port`."""

    def __init__(self, requests: int, replies: int) -> None:
        self._requests, self._replies = requests, replies
        self._orders: list[list[Any]] = []
        self.settled: Callable[[], None] = lambda: None
        """Called when the machine has carried out all orders."""

    def order(self, name: str, *values: Any) -> None:
        self._orders.append([name, *values])
        if len(self._orders) >= _MOST_TOGETHER:
            self.ask("so_far")

    def ask(self, name: str, *values: Any) -> Any:
        self.reply({"ask": [name, *values]})
        answer = channel.receive(channel.Descriptor(self._requests))
        if answer.get("out_of_frames"):
            raise OutOfFrames
        return answer["answer"]

    def reply(self, message: dict[str, Any]) -> None:
        orders, self._orders = self._orders, []
        channel.send(self._replies, {"orders": orders, **message})
        self.settled()


class MachineFrames:
    """The machine's own allocator; implements :class:`emu.lab.kit.frames.Frames`."""

    def __init__(self, port: GraderPort, zero: int) -> None:
        self.zero = zero
        self._port = port

    def allocate(self) -> int:
        return int(self._port.ask("allocate", place()))

    def allocate_table(self) -> int:
        return int(self._port.ask("allocate_table", place()))

    def allocate_superpage(self) -> int:
        return int(self._port.ask("allocate_superpage", place()))

    def share(self, frame: int) -> None:
        self._port.order("share", frame, place())

    def release(self, frame: int) -> None:
        self._port.order("release", frame, place())

    def count(self, frame: int) -> int:
        return int(self._port.ask("count", frame))

    def is_private(self, frame: int) -> bool:
        return bool(self._port.ask("is_private", frame))


class OwnFrames:
    """The allocator of the lab ``frames``, of whose doings the machine is told.

    Frames that are not ``its`` (the frame of zeroes) are the machine's.
    """

    def __init__(self, port: GraderPort, allocator: Any, its: range, machine: Frames) -> None:
        self.allocator = allocator
        self._its = its
        self.zero = machine.zero
        self._port = port
        self._machine = machine

    def allocate(self) -> int:
        return self._taken("allocate")

    def allocate_table(self) -> int:
        return self._taken("allocate_table")

    def _taken(self, name: str) -> int:
        try:
            frame = getattr(self.allocator, name)()
        except OutOfFrames:
            self._port.ask("found_none", name)
            raise
        told = frame if type(frame) is int else repr(frame)[:80]
        try:
            self._port.ask("allocated", told, name, place())
        except OutOfFrames:  # this one is to fail in a test
            self.allocator.release(frame)
            raise
        return frame  # type: ignore[no-any-return]

    def allocate_superpage(self) -> int:
        return self._machine.allocate_superpage()

    def share(self, frame: int) -> None:
        if frame in self._its:
            self.allocator.share(frame)
        self._port.order("share", frame, place())

    def release(self, frame: int) -> None:
        if frame in self._its:
            self.allocator.release(frame)
        self._port.order("release", frame, place())

    def count(self, frame: int) -> int:
        if frame not in self._its:
            return self._machine.count(frame)
        return self.allocator.count(frame)  # type: ignore[no-any-return]

    def is_private(self, frame: int) -> bool:
        return self._machine.is_private(frame)
