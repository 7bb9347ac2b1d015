"""Memory of the host that the kernel's own objects take on behalf of guests.

Pages of processes and of files in memory are frames of the machine. What else a guest can make the
kernel keep (processes, mappings, descriptors, bytes in pipes, locks, names of files) is charged
here, by kind, before it is made, and given back when it goes, as Linux charges such objects to the
memory control group of their maker.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum, StrEnum

from kernel.errors import Errno

SHARE = 4
"""By default the budget is this part of the machine's memory, but at least :data:`LEAST`."""
LEAST = 16 << 20
DEFAULT = 256 << 20


class Kind(StrEnum):
    """What is charged."""

    PROCESS = "processes"
    THREAD = "threads"
    MAPPING = "mappings"
    DESCRIPTORS = "descriptor tables"
    FILE = "open files"
    NODE = "inodes"
    NAME = "directory entries"
    LISTING = "directory listings"
    TEXT = "texts of /proc"
    PIPE = "pipes"
    SOCKET = "sockets"
    WATCH = "epoll interests"
    LOCK = "record locks"
    TIMER = "timers"
    WAIT = "blocked calls"
    ARGUMENTS = "arguments and environments"


class Cost(IntEnum):
    """Bytes of one object, with the Python objects that it is made of."""

    PROCESS = 24 << 10
    THREAD = 8 << 10
    MAPPING = 200
    SHARED_MEMORY = 400
    DESCRIPTOR = 80
    FILE = 1024
    NODE = 1024
    NAME = 256
    LISTED = 160
    PIPE = 1024
    MESSAGE = 128
    WATCH = 512
    LOCK = 256
    TIMER = 512
    WAITED = 128


def cost_of_text(text: str) -> int:
    """The most bytes that the characters of ``text`` take."""
    return len(text) if text.isascii() else 4 * len(text)


def share_of(memory: int) -> int:
    """The default budget of a machine with ``memory`` bytes."""
    return max(LEAST, memory // SHARE)


class Budget:
    """``limit`` bytes, and how many of them each kind of object has taken."""

    def __init__(self, limit: int = DEFAULT) -> None:
        self.limit = limit
        self.used = 0
        self.held: dict[Kind, int] = {}

    def take(self, kind: Kind, count: int, failure: int = errno.ENOMEM) -> None:
        """Charges ``count`` bytes; ``failure`` is raised when they are more than is left."""
        if self.used + count > self.limit:
            raise Errno(failure)
        self.used += count
        self.held[kind] = self.held.get(kind, 0) + count

    def give_back(self, kind: Kind, count: int) -> None:
        if count:
            self.used -= count
            self.held[kind] -= count

    @contextmanager
    def lent(self, kind: Kind, count: int, failure: int = errno.ENOMEM) -> Iterator[None]:
        """Charges ``count`` bytes for as long as the block runs."""
        self.take(kind, count, failure)
        try:
            yield
        finally:
            self.give_back(kind, count)
