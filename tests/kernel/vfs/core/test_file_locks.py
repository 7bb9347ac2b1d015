"""Do advisory locks conflict as flock(2) and fcntl(2) specify, and is their memory limited?"""

import random

import pytest

from kernel.base.budget import Budget, Cost
from kernel.base.errors import Errno
from kernel.vfs.core.file_locks import END, Locks, Record, Span

ONE, OTHER, THIRD = object(), object(), object()


def record(start: int, end: int, owner: object = ONE, *, exclusive: bool = True) -> Record:
    return Record(Span(start, end), exclusive, owner, 7)


def held(locks: Locks) -> list[tuple[int, int, bool]]:
    """Locks of ONE that another owner finds, in ascending order."""
    found, at = [], 0
    while (other := locks.conflict(record(at, END, OTHER))) is not None:
        found.append((other.span.start, other.span.end, other.exclusive))
        at = other.span.end
    return found


def test_are_adjacent_locks_of_one_kind_merged() -> None:
    locks = Locks(Budget())
    for start, end, exclusive in ((0, 10, True), (20, 30, True), (10, 20, True), (30, 40, False)):
        locks.lock(record(start, end, exclusive=exclusive))
    assert held(locks) == [(0, 30, True), (30, 40, False)]
    locks.lock(record(12, 14, exclusive=False))
    assert held(locks) == [(0, 12, True), (12, 14, False), (14, 30, True), (30, 40, False)]
    locks.unlock(Span(5, 35), ONE)
    assert held(locks) == [(0, 5, True), (35, 40, False)]


def test_do_random_locks_give_what_an_array_of_bytes_gives() -> None:
    rng, budget = random.Random(3), Budget()
    locks, owners, size = Locks(budget), (ONE, OTHER, THIRD), 60
    bytes_of: dict[object, list[bool | None]] = {owner: [None] * size for owner in owners}
    for _ in range(3000):
        owner, start = rng.choice(owners), rng.randrange(size)
        end, exclusive = rng.randrange(start, size) + 1, rng.random() < 0.5
        wanted = record(start, end, owner, exclusive=exclusive)
        conflicts = any(
            has is not None and (has or exclusive)
            for other in owners
            if other is not owner
            for has in bytes_of[other][start:end]
        )
        assert (locks.conflict(wanted) is not None) == conflicts
        if rng.random() < 0.4:
            locks.unlock(wanted.span, owner)
            bytes_of[owner][start:end] = [None] * (end - start)
        elif not conflicts:
            locks.lock(wanted)
            bytes_of[owner][start:end] = [exclusive] * (end - start)
        runs = sum(
            here is not None and here != before
            for line in bytes_of.values()
            for before, here in zip([None, *line], line, strict=False)
        )
        assert budget.used == runs * Cost.LOCK
    for owner in owners:
        locks.drop(owner)
    assert budget.used == 0


def test_is_a_lock_beyond_the_limit_refused_and_are_all_released() -> None:
    budget = Budget(10 * Cost.LOCK)
    locks = Locks(budget)
    for number in range(9):
        locks.lock(record(10 * number, 10 * number + 5))
    with pytest.raises(Errno, match="ENOLCK"):
        locks.lock(record(200, 201))
    budget.limit = budget.used
    with pytest.raises(Errno, match="ENOLCK"):
        locks.unlock(Span(2, 3), ONE)
    assert len(held(locks)) == 9
    locks.unlock(Span(0, END), ONE)
    assert budget.used == 0


def test_is_a_flock_exclusive_or_shared_by_readers() -> None:
    locks = Locks(Budget())
    assert locks.try_flock(ONE, exclusive=False)
    assert locks.try_flock(OTHER, exclusive=False)
    assert not locks.try_flock(ONE, exclusive=True)
    locks.drop_flock(OTHER)
    assert locks.try_flock(ONE, exclusive=True)
    assert not locks.try_flock(OTHER, exclusive=False)
    assert locks.try_flock(ONE, exclusive=False)
    assert locks.try_flock(OTHER, exclusive=False)
