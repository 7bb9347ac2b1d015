"""Messages between the grader and the process that runs a student's code.

Each is JSON under a length of four bytes. The student's end uses the standard library alone; the
grader's believes nothing of what it reads before it has looked at its types.
"""

from __future__ import annotations

import json
import os
from typing import Any, Protocol

MAX_MESSAGE = 64 << 20
"""A message with more bytes is no message."""
_MAX_ITEMS = 2 << 20
"""Nor is one with more items: three bytes each, they would take thirty times as much memory."""


class Closed(Exception):
    """The other end has gone."""


class Source(Protocol):
    """Something to read bytes from."""

    def read(self, count: int) -> bytes:
        """At most ``count`` bytes, none at the end."""


class Descriptor:
    """A descriptor that is waited for without a limit."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self, count: int) -> bytes:
        return os.read(self._descriptor, count)


def frame(message: Any) -> bytes:
    data = json.dumps(message, separators=(",", ":")).encode()
    return len(data).to_bytes(4, "little") + data


def send(descriptor: int, message: Any) -> None:
    """Raises :class:`Closed`."""
    view = memoryview(frame(message))
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError:
        raise Closed from None


def receive(source: Source, longest: int = MAX_MESSAGE) -> Any:
    """Waits for a message. Raises :class:`Closed`, and ValueError for what is none."""
    length = int.from_bytes(_exactly(source, 4), "little")
    if length > longest:
        raise ValueError(f"a message of {length} bytes")
    data = _exactly(source, length)
    if data.count(b",") > _MAX_ITEMS:
        raise ValueError("a message of too many items")
    return json.loads(data)


def _exactly(source: Source, count: int) -> bytes:
    parts = []
    while count:
        part = source.read(min(count, 1 << 20))
        if not part:
            raise Closed
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
