"""Advisory locks on a file: flock(2), and the record locks of fcntl(2)."""

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


_start, _end = attrgetter("span.start"), attrgetter("span.end")


class Locks:
    """All locks of one file. Nobody else is kept from reading or writing it: they are advisory."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._records: dict[object, list[Record]] = {}
        """Spans of each owner, which do not overlap, in ascending order."""
        self._whole: dict[object, bool] = {}
        self.changed = WaitQueue()
        """Woken when a lock was given back."""

    def conflict(self, wanted: Record) -> Record | None:
        """The first lock of someone else's that ``wanted`` can't be beside."""
        found = [
            held
            for owner, records in self._records.items()
            if owner is not wanted.owner
            for held in _overlapping(records, wanted.span)
            if held.exclusive or wanted.exclusive
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
        """ENOLCK when a lock would be split in two, and there is no room for them."""
        records = self._records.get(owner, [])
        before = len(records)
        more = span != Span(0, END)
        self._budget.take(Kind.LOCK, more * Cost.LOCK, ENOLCK)
        self._cut(records, span)
        self._budget.give_back(Kind.LOCK, (more + before - len(records)) * Cost.LOCK)
        if not records:
            self._records.pop(owner, None)
        self.changed.wake()

    def try_flock(self, owner: object, exclusive: bool) -> bool:
        """Locks the whole file for an open file; False when another one's lock forbids it."""
        others = len(self._whole) - (owner in self._whole)
        if others and (exclusive or True in self._first_two()):
            return False
        self._whole[owner] = exclusive
        self.changed.wake()
        return True

    def _first_two(self) -> list[bool]:
        """Kinds of the first two locks: an exclusive one is the only one, so it is the first."""
        return [exclusive for exclusive, _ in zip(self._whole.values(), range(2), strict=False)]

    def drop_flock(self, owner: object) -> None:
        if self._whole.pop(owner, None) is not None:
            self.changed.wake()

    def drop(self, owner: object) -> None:
        """Gives back all that ``owner`` holds."""
        records = self._records.pop(owner, [])
        self._budget.give_back(Kind.LOCK, len(records) * Cost.LOCK)
        if self._whole.pop(owner, None) is not None or records:
            self.changed.wake()

    def _cut(self, records: list[Record], span: Span) -> None:
        """Removes ``span`` from an owner's records."""
        first = bisect_right(records, span.start, key=_end)
        last = bisect_left(records, span.end, key=_start)
        records[first:last] = [
            replace(held, span=part)
            for held in records[first:last]
            for part in (
                Span(held.span.start, min(held.span.end, span.start)),
                Span(max(held.span.start, span.end), held.span.end),
            )
            if part.start < part.end
        ]

    def _insert(self, records: list[Record], wanted: Record) -> None:
        """Inserts a record that overlaps none, merged with its neighbours of the same kind."""
        at = bisect_left(records, wanted.span.start, key=_start)
        first, last, (start, end) = at, at, wanted.span
        if at and records[at - 1].span.end == start and _alike(records[at - 1], wanted):
            first, start = at - 1, records[at - 1].span.start
        if at < len(records) and records[at].span.start == end and _alike(records[at], wanted):
            last, end = at + 1, records[at].span.end
        records[first:last] = [replace(wanted, span=Span(start, end))]


def _alike(one: Record, other: Record) -> bool:
    return one.exclusive == other.exclusive and one.pid == other.pid


def _overlapping(records: list[Record], span: Span) -> Iterator[Record]:
    index = bisect_right(records, span.start, key=_end)
    while index < len(records) and records[index].span.start < span.end:
        yield records[index]
        index += 1
