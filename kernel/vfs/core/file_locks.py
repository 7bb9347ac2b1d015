"""Advisory locks on a file: those of flock(2) and the record locks of fcntl(2)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import NamedTuple

from kernel.base.budget import Budget, Cost, Kind
from kernel.base.errno import ENOLCK
from kernel.base.wait import WaitQueue

END = 1 << 63


class Span(NamedTuple):
    """The bytes [start, end) of a file."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Record:
    """A record lock. Its owner is a descriptor table (POSIX) or an open file (OFD)."""

    span: Span
    exclusive: bool
    owner: object
    pid: int


_start, _end = attrgetter("span.start"), attrgetter("span.end")


class Locks:
    """All locks of one file. They are advisory: reads and writes do not check them."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._records: dict[object, list[Record]] = {}
        """Spans of each owner, which do not overlap, in ascending order."""
        self._flocks: dict[object, bool] = {}
        self.wait_queue = WaitQueue()
        """Woken when a lock is released."""

    def conflict(self, wanted: Record) -> Record | None:
        """Returns the first lock of another owner that ``wanted`` conflicts with."""
        found = [
            lock
            for owner, records in self._records.items()
            if owner is not wanted.owner
            for lock in _overlapping(records, wanted.span)
            if lock.exclusive or wanted.exclusive
        ]
        return min(found, key=_start, default=None)

    def lock(self, wanted: Record) -> None:
        """Locks a span that does not conflict with another owner's lock; ENOLCK."""
        # Locking within a span of the other kind splits it in three.
        self._budget.take(Kind.LOCK, 2 * Cost.LOCK, ENOLCK)
        records = self._records.setdefault(wanted.owner, [])
        before = len(records)
        self._cut(records, wanted.span)
        self._insert(records, wanted)
        self._budget.give_back(Kind.LOCK, (2 + before - len(records)) * Cost.LOCK)

    def unlock(self, span: Span, owner: object) -> None:
        """Unlocks a span; ENOLCK when that would split a lock and the budget is used up."""
        records = self._records.get(owner, [])
        before = len(records)
        more = span != Span(0, END)
        self._budget.take(Kind.LOCK, more * Cost.LOCK, ENOLCK)
        self._cut(records, span)
        self._budget.give_back(Kind.LOCK, (more + before - len(records)) * Cost.LOCK)
        if not records:
            self._records.pop(owner, None)
        self.wait_queue.wake()

    def try_flock(self, owner: object, exclusive: bool) -> bool:
        """Locks the whole file for an open file; False when another open file's lock conflicts."""
        others = len(self._flocks) - (owner in self._flocks)
        if others and (exclusive or True in self._first_two()):
            return False
        self._flocks[owner] = exclusive
        self.wait_queue.wake()
        return True

    def _first_two(self) -> list[bool]:
        """Modes of the first two locks: an exclusive lock is the only one, so it is the first."""
        return [exclusive for exclusive, _ in zip(self._flocks.values(), range(2), strict=False)]

    def drop_flock(self, owner: object) -> None:
        if self._flocks.pop(owner, None) is not None:
            self.wait_queue.wake()

    def drop(self, owner: object) -> None:
        """Releases all locks of ``owner``."""
        records = self._records.pop(owner, [])
        self._budget.give_back(Kind.LOCK, len(records) * Cost.LOCK)
        if self._flocks.pop(owner, None) is not None or records:
            self.wait_queue.wake()

    def _cut(self, records: list[Record], span: Span) -> None:
        """Removes ``span`` from an owner's records."""
        first = bisect_right(records, span.start, key=_end)
        last = bisect_left(records, span.end, key=_start)
        records[first:last] = [
            replace(lock, span=part)
            for lock in records[first:last]
            for part in (
                Span(lock.span.start, min(lock.span.end, span.start)),
                Span(max(lock.span.start, span.end), lock.span.end),
            )
            if part.start < part.end
        ]

    def _insert(self, records: list[Record], wanted: Record) -> None:
        """Inserts a record that overlaps none, merged with its neighbours of the same kind."""
        at = bisect_left(records, wanted.span.start, key=_start)
        first, last, (start, end) = at, at, wanted.span
        if at and records[at - 1].span.end == start and _same_kind(records[at - 1], wanted):
            first, start = at - 1, records[at - 1].span.start
        if at < len(records) and records[at].span.start == end and _same_kind(records[at], wanted):
            last, end = at + 1, records[at].span.end
        records[first:last] = [replace(wanted, span=Span(start, end))]


def _same_kind(one: Record, other: Record) -> bool:
    return one.exclusive == other.exclusive and one.pid == other.pid


def _overlapping(records: list[Record], span: Span) -> Iterator[Record]:
    index = bisect_right(records, span.start, key=_end)
    while index < len(records) and records[index].span.start < span.end:
        yield records[index]
        index += 1
