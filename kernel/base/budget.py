"""Limits the host memory that the kernel's own objects use on behalf of guests.

Pages of processes and of files in memory are frames of the machine. Everything else that a guest
can make the kernel store (processes, mappings, descriptors, bytes in pipes, locks, file names) is
charged here, by kind, before it is created, and released with it, as Linux charges such objects to
the memory control group of their creator.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum, StrEnum

from kernel.base.errno import ENOMEM
from kernel.base.errors import Errno

SHARE = 4
"""The default budget is this fraction of the machine's memory, and at least :data:`LEAST`."""
LEAST = 16 << 20
DEFAULT = 256 << 20


class Kind(StrEnum):
    """Kinds of objects that are charged."""

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
    IPC = "System V IPC objects"
    TERMINAL = "pseudo-terminals"
    WATCH = "epoll interests and watched files"
    EVENT = "events of watched files"
    LOCK = "record locks"
    TIMER = "timers"
    WAIT = "blocked calls"
    ARGUMENTS = "arguments and environments"


class Cost(IntEnum):
    """Bytes charged for one object, including the Python objects it consists of."""

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
    SOCKET = 4096
    MESSAGE = 128
    TERMINAL = 48 << 10
    WATCH = 512
    EVENT = 192
    LOCK = 256
    TIMER = 512
    WAITED = 128


def cost_of_text(text: str) -> int:
    """Upper bound of the bytes that the characters of ``text`` use."""
    return len(text) if text.isascii() else 4 * len(text)


def share_of(memory: int) -> int:
    """Default budget of a machine with ``memory`` bytes."""
    return max(LEAST, memory // SHARE)


class Budget:
    """A limit in bytes, and the bytes charged for each kind of object."""

    def __init__(self, limit: int = DEFAULT) -> None:
        self.limit = limit
        self.used = 0
        self.held: dict[Kind, int] = {}

    def take(self, kind: Kind, count: int, failure: int = ENOMEM) -> None:
        """Charges ``count`` bytes; raises ``failure`` when fewer are left."""
        if self.used + count > self.limit:
            raise Errno(failure)
        self.used += count
        self.held[kind] = self.held.get(kind, 0) + count

    def give_back(self, kind: Kind, count: int) -> None:
        if count:
            self.used -= count
            self.held[kind] -= count

    @contextmanager
    def charged(self, kind: Kind, count: int, failure: int = ENOMEM) -> Iterator[None]:
        """Charges ``count`` bytes for the duration of the block."""
        self.take(kind, count, failure)
        try:
            yield
        finally:
            self.give_back(kind, count)
