"""Are a mapping's pages counted as smaps counts them, under each fork policy?"""

from __future__ import annotations

import pytest

from emu.machine.pte import PAGE_SIZE
from kernel.mm.address_space import AddressSpace
from kernel.mm.usage.figures import figures
from kernel.mm.usage.page_counts import PageCounts, count_pages
from kernel.mm.usage.page_users import PageUsers
from tests.kernel.worlds import BASE, World, anonymous

P = PAGE_SIZE
WHOLE = P << 12
"""Share of a page that has one user."""


def counts(space: AddressSpace) -> PageCounts:
    vma = space.find(BASE)
    assert vma is not None
    return count_pages(space, vma, PageUsers(space.frames))


def test_the_zero_page_is_not_resident(world: World, space: AddressSpace) -> None:
    anonymous(space, 4)
    world.load(space, BASE, 4 * P)
    world.store(space, BASE, b"x")
    assert (counts(space).resident, counts(space).pss) == (1, WHOLE)
    assert (figures(space).resident, space.resident_pages()) == (1, 1)


@pytest.mark.parametrize("policy", ["cow", "shared-tables"])
def test_each_user_has_its_share_rounded_down(
    world: World, space: AddressSpace, policy: str
) -> None:
    anonymous(space, 1)
    world.store(space, BASE, b"x")
    child = world.fork(space, policy)
    world.store(child, BASE, b"y")
    others = [world.fork(child, policy), world.fork(child, policy)]
    for user in (child, *others):
        found = counts(user)
        assert (found.pss, found.shared_dirty, found.private_dirty) == (WHOLE // 3, 1, 0)
    assert counts(space).pss == WHOLE
    world.check()


def test_an_eager_copy_is_private(world: World, space: AddressSpace) -> None:
    anonymous(space, 2)
    world.store(space, BASE, b"x")
    child = world.fork(space, "eager")
    assert (counts(child).pss, counts(child).private_dirty) == (WHOLE, 1)


@pytest.mark.parametrize("policy", ["cow", "shared-tables"])
def test_a_child_has_accessed_no_page(world: World, space: AddressSpace, policy: str) -> None:
    anonymous(space, 2)
    world.store(space, BASE, b"x" * 2 * P)
    child = world.fork(space, policy)
    if policy == "cow":
        assert counts(child).referenced == 0
    world.load(child, BASE)
    world.store(child, BASE + P, b"y")
    assert counts(child).referenced == counts(space).referenced == 2
    world.check()
