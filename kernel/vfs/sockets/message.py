"""Messages, and the queue of those that a socket has received and not read."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kernel.base.budget import Budget, Cost, Kind
from kernel.base.errno import ENOBUFS
from kernel.vfs.core.open_file import OpenFile

DEFAULT_CAPACITY = 212_992
"""Bytes of a socket's buffers (net.core.rmem_default)."""
_MERGED = 4096
"""Maximum size of a stream's piece to which further bytes are added."""


class Sender(NamedTuple):
    """The process that sent a message (SCM_CREDENTIALS, SO_PEERCRED)."""

    pid: int
    uid: int
    gid: int


NO_PROCESS = Sender(0, 65534, 65534)


@dataclass(slots=True)
class Message:
    """A datagram, or a piece of a stream."""

    data: bytes
    sender: Sender = NO_PROCESS
    source: Any = None
    """Address of the sending socket; None when it has none."""
    files: list[OpenFile] = field(default_factory=list)
    """Descriptors that it passes (SCM_RIGHTS), each with a reference."""

    @property
    def cost(self) -> int:
        return len(self.data) + Cost.MESSAGE


class ReceiveQueue:
    """Messages in order, charged to ``budget``. Pieces of a stream have no boundaries."""

    def __init__(self, budget: Budget, *, boundaries: bool) -> None:
        self._budget = budget
        self.boundaries = boundaries
        self.messages: deque[Message] = deque()
        self.size = 0
        """Bytes in the messages."""
        self.capacity = DEFAULT_CAPACITY

    def __bool__(self) -> bool:
        return bool(self.messages)

    @property
    def room(self) -> int:
        """Bytes that may be added; each message of few bytes takes some of it too."""
        return self.capacity - self.size - Cost.MESSAGE * len(self.messages)

    def add(self, message: Message) -> None:
        """Adds a message; ENOBUFS when the budget is used up."""
        last = self.messages[-1] if self.messages else None
        if last is not None and self._merges(last, message):
            self._budget.take(Kind.SOCKET, len(message.data), ENOBUFS)
            last.data += message.data
        else:
            self._budget.take(Kind.SOCKET, message.cost, ENOBUFS)
            self.messages.append(message)
        self.size += len(message.data)

    def _merges(self, last: Message, message: Message) -> bool:
        return (
            not self.boundaries
            and len(last.data) < _MERGED
            and not last.files
            and not message.files
            and last.sender == message.sender
        )

    def pop(self) -> Message:
        message = self.messages.popleft()
        self.size -= len(message.data)
        self._budget.give_back(Kind.SOCKET, message.cost)
        return message

    def drop_bytes(self, count: int) -> None:
        """Removes the first ``count`` bytes of the first message, which has more."""
        first = self.messages[0]
        first.data = first.data[count:]
        self.size -= count
        self._budget.give_back(Kind.SOCKET, count)

    def put_back(self, data: bytes) -> None:
        """Undoes the removal of a stream's ``data``."""
        if data:
            message = Message(data)
            self._budget.take(Kind.SOCKET, message.cost, ENOBUFS)
            self.messages.appendleft(message)
            self.size += len(data)

    def clear(self) -> list[OpenFile]:
        """Discards the messages; returns the descriptors that they passed."""
        files: list[OpenFile] = []
        while self.messages:
            files += self.pop().files
        return files
