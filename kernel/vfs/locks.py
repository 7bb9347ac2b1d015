"""Advisory locks on a file: flock(2), and the record locks of fcntl(2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from kernel.errors import Errno
from kernel.vfs.errnos import ENOLCK
from kernel.wait import WaitQueue

MOST = 4096
"""The most record locks of one file: a guest can't fill the host's memory with them."""

END = 1 << 63


class Span(NamedTuple):
    """Bytes ``start`` up to, not including, ``end``."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Record:
    """One locked span. Its owner is a descriptor table (POSIX) or an open file (OFD)."""

    span: Span
    exclusive: bool
    owner: object
    pid: int


class Locks:
    """All locks of one file. Nobody else is kept from reading or writing it: they are advisory."""

    def __init__(self) -> None:
        self._records: list[Record] = []
        self._whole: dict[object, bool] = {}
        self.changed = WaitQueue()
        """Woken when a lock was given back."""

    def conflict(self, wanted: Record) -> Record | None:
        """The first lock of someone else's that ``wanted`` can't be beside."""
        for held in self._records:
            if held.owner is wanted.owner or not (held.exclusive or wanted.exclusive):
                continue
            if held.span.start < wanted.span.end and wanted.span.start < held.span.end:
                return held
        return None

    def lock(self, wanted: Record) -> None:
        """Locks a span that no one else's lock is in conflict with."""
        if len(self._records) >= MOST:
            raise Errno(ENOLCK)
        self._cut(wanted.span, wanted.owner)
        self._records.append(wanted)

    def unlock(self, span: Span, owner: object) -> None:
        self._cut(span, owner)
        self.changed.wake()

    def try_flock(self, owner: object, exclusive: bool) -> bool:
        """Locks the whole file for an open file; False when another one's lock forbids it."""
        others = [held for who, held in self._whole.items() if who is not owner]
        if any(others) or (exclusive and others):
            return False
        self._whole[owner] = exclusive
        self.changed.wake()
        return True

    def drop_flock(self, owner: object) -> None:
        if self._whole.pop(owner, None) is not None:
            self.changed.wake()

    def drop(self, owner: object) -> None:
        """Gives back all that ``owner`` holds."""
        before = len(self._records)
        self._records = [held for held in self._records if held.owner is not owner]
        if self._whole.pop(owner, None) is not None or len(self._records) != before:
            self.changed.wake()

    def _cut(self, span: Span, owner: object) -> None:
        kept: list[Record] = []
        for held in self._records:
            if held.owner is not owner:
                kept.append(held)
                continue
            for part in (
                Span(held.span.start, min(held.span.end, span.start)),
                Span(max(held.span.start, span.end), held.span.end),
            ):
                if part.start < part.end:
                    kept.append(Record(part, held.exclusive, owner, held.pid))
        self._records = kept
