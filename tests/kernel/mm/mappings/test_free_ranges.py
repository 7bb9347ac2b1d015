"""Are gaps found as by a look at every one of them, however many there are?"""

from __future__ import annotations

import random

import pytest

from kernel.mm.mappings.free_ranges import FreeRanges


def highest(ranges: dict[int, int], size: int, top: int) -> int | None:
    """The same by definition."""
    ends = ((start, min(start + length, top)) for start, length in ranges.items())
    return max((end - size for start, end in ends if end - start >= size), default=None)


@pytest.mark.parametrize("seed", range(3))
def test_the_highest_range_that_is_long_enough_is_found(seed: int) -> None:
    rng = random.Random(seed)
    free, ranges = FreeRanges(), dict[int, int]()
    for step in range(6000):
        start = 100 * rng.randrange(4000)
        size = rng.choice((0, 0, 1, 5, 60, 99)) if step < 4000 else 0
        free.set(start, size)
        if size:
            ranges[start] = size
        else:
            ranges.pop(start, None)
        if step % 10 == 0:
            wanted, top = rng.randrange(1, 101), rng.randrange(400_000)
            assert free.highest(wanted, top) == highest(ranges, wanted, top)
    assert free.items() == sorted(ranges.items())


def test_a_copy_is_independent() -> None:
    free = FreeRanges()
    free.set(10, 5)
    copy = free.copy()
    copy.set(20, 5)
    free.set(10, 0)
    assert (free.items(), copy.items()) == ([], [(10, 5), (20, 5)])
