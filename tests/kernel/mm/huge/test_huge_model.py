"""Do processes with huge pages behave as if every fork copied everything?

As tests/kernel/mm/test_model.py, but some of the numbered pages stand for 510 pages, of which the
program stores to the first alone: three numbers are an aligned 2 MiB.
"""

from __future__ import annotations

import random
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from emu.machine.pte import HUGE_FRAMES, PAGE_SIZE, V, ppn
from kernel.mm.forking.fork import POLICIES
from kernel.mm.mappings.huge_policy import Thp, ThpCow
from kernel.mm.mappings.vma import Prot
from tests.kernel.mm.test_model import (
    STEPS,
    Processes,
    Step,
    counts,
    pages,
    run,
    walk_at_random,
    who,
)
from tests.kernel.worlds import RW

FIRST = 0x4020_0000
LENGTHS = (1, 510, 1) * 2 + (2, 510, 1) + (1, 510, 1) + (1,) * 12
"""Pages that each number stands for. From number 9 on, a multiple of 2 MiB is between two others
than below, so that a move there splits huge pages.
"""
STARTS = (0, *accumulate(LENGTHS))
SINGLE = (0, 2, 5, 8, 11)
"""Numbers that stand for one page, for mappings of files and of shared memory."""
_ZEROES = bytes(PAGE_SIZE)


class HugeProcesses(Processes):
    memory_pages = 18 * HUGE_FRAMES
    modes = (Thp.MADVISE, Thp.ALWAYS)
    in_one_page = True

    @initialize(
        policy=st.sampled_from(sorted(POLICIES)),
        page_by_page=st.booleans(),
        mode=st.sampled_from((Thp.MADVISE, Thp.ALWAYS)),
        copied=st.sampled_from(ThpCow),
    )
    def begin(
        self,
        policy: str,
        page_by_page: bool = True,
        mode: Thp = Thp.ALWAYS,
        copied: ThpCow = ThpCow.PAGE,
    ) -> None:
        super().begin(policy, page_by_page, mode, copied)

    def first_mappings(self) -> None:
        self.had_huge = False
        self.map_anonymous(n=0, at=0, count=6, prot=RW)
        self.map_anonymous(n=0, at=6, count=3, prot=RW)
        self.advise_huge(n=0, at=0, count=6, advice=14)

    def address(self, page: int) -> int:
        return FIRST + STARTS[page] * PAGE_SIZE

    @rule(n=who, at=pages, count=counts, prot=st.just(RW))
    def map_shared(self, n: int, at: int, count: int, prot: Prot) -> None:
        super().map_shared(n, SINGLE[at % len(SINGLE)], 1, prot)

    @rule(n=who, at=pages, count=counts, shared=st.booleans(), first=st.integers(0, 2))
    def map_file(
        self, n: int, at: int, count: int, shared: bool, first: int, prot: Prot = RW
    ) -> None:
        super().map_file(n, SINGLE[at % len(SINGLE)], 1, prot, shared, first)

    @rule(n=who, at=pages, count=counts, first=st.integers(0, 2))
    def map_sealed(self, n: int, at: int, count: int, first: int) -> None:
        super().map_sealed(n, SINGLE[at % len(SINGLE)], 1, first)

    @rule(n=who, at=pages, count=counts, new_count=counts, to=pages)
    def remap(self, n: int, at: int, count: int, new_count: int, to: int) -> None:
        """Only between numbers that stand for equally many pages each."""
        moved = min(count, new_count)
        if LENGTHS[at : at + moved] == LENGTHS[to : to + moved]:
            super().remap(n, at, count, new_count, to)

    @rule(n=who, piece=st.sampled_from((0, 3)))
    def map_piece(self, n: int, piece: int) -> None:
        """Another 2 MiB, so that there are huge pages again."""
        super().map_anonymous(n, piece, 3, RW)
        super().advise_huge(n, piece, 3, 14)

    def further_steps(self, pick: random.Random, n: int) -> list[Step]:
        return [(4, "map_piece", {"n": n, "piece": pick.choice((0, 3))})]

    @invariant()
    def every_page_is_as_in_the_model(self) -> None:
        """Also of those without a number, which are zero."""
        super().every_page_is_as_in_the_model()
        for side in getattr(self, "sides", ()):
            self.had_huge |= bool(side.space.table.resident_huge(0, 1 << 38))
            for number, page in side.pages.items():
                for at in (1, LENGTHS[number] // 2, LENGTHS[number] - 1):
                    pte = side.space.table.pte(self.address(number) + at * PAGE_SIZE)
                    if 0 < at < LENGTHS[number] and page.source is None and pte & V:
                        assert self.world.ram.read_frame(ppn(pte)) == _ZEROES


class ShortOfRuns(HugeProcesses):
    """Hardly any free run, and at times no frame."""

    memory_pages = 3 * HUGE_FRAMES
    short = True


@pytest.mark.parametrize("machine", [HugeProcesses, ShortOfRuns])
def test_processes_behave_as_if_every_fork_copied_everything(machine: type[Processes]) -> None:
    run(machine, 8)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("machine", [HugeProcesses, ShortOfRuns])
def test_a_long_random_walk(machine: type[Processes], policy: str) -> None:
    walk: Any = walk_at_random(machine, policy, f"{machine.__name__} {policy}", STEPS // 6)
    assert walk.had_huge
