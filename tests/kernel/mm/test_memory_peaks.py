"""Are peaks of memory kept without a count at each page fault?"""

from __future__ import annotations

import pytest

from emu.machine.pte import PAGE_SIZE
from kernel.mm.address_space import AddressSpace
from kernel.mm.forking.fork import POLICIES
from kernel.mm.page_tables.page_table import PageTable
from tests.kernel.worlds import BASE, World, anonymous, ranges_gone_through

P = PAGE_SIZE


@pytest.mark.parametrize("page_by_page", [True, False])
def test_the_peak_is_the_greatest_number_of_resident_pages(
    world: World, space: AddressSpace, *, page_by_page: bool
) -> None:
    with ranges_gone_through(page_by_page=page_by_page):
        anonymous(space, 20)
        world.store(space, BASE, b"x" * 10 * P)
        assert space.peak_resident() == 10
        space.unmap(BASE, BASE + 8 * P)
        world.store(space, BASE + 10 * P, b"x" * 4 * P)
        assert (space.resident_pages(), space.peak_resident()) == (6, 10)
        world.store(space, BASE + 14 * P, b"x" * 6 * P)
        assert (space.resident_pages(), space.peak_resident()) == (12, 12)
        space.zap(BASE, BASE + 20 * P)
        assert (space.resident_pages(), space.peak_resident()) == (0, 12)
        space.reset_peak()
        assert space.peak_resident() == 0


def test_the_virtual_peak_outlives_the_mapping(space: AddressSpace) -> None:
    anonymous(space, 20)
    space.unmap(BASE, BASE + 15 * P)
    assert (space.virtual_pages(), space.virtual_peak) == (5, 20)


@pytest.mark.parametrize("policy", POLICIES)
def test_the_end_leaves_the_peak(world: World, space: AddressSpace, policy: str) -> None:
    anonymous(space, 8)
    world.store(space, BASE, b"x" * 5 * P)
    world.load(space, BASE + 6 * P)
    child = world.fork(space, policy)
    world.store(child, BASE + 5 * P, b"x")
    world.store(child, BASE, b"y")
    world.exit(child)
    world.exit(space)
    assert (child.peak_resident(), space.peak_resident()) == (6, 5)


def test_memory_that_is_used_again_and_again_is_not_counted_each_time(
    world: World, space: AddressSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = []

    def count(table: PageTable) -> int:
        counted.append(table)
        return sum(1 for _ in table.present())

    monkeypatch.setattr(PageTable, "resident_count", count)
    for _ in range(20):
        anonymous(space, 4)
        world.store(space, BASE, b"x" * 4 * P)
        space.unmap(BASE, BASE + 4 * P)
    assert len(counted) == 1
