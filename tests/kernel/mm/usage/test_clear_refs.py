"""Does clear_refs clear the marks of accesses and stores, as Linux does?

No Linux at hand tracks stores: the rules are those of Documentation/admin-guide/mm/soft-dirty.rst.
"""

from __future__ import annotations

import pytest

from emu.machine.cause import Access
from emu.machine.pte import PAGE_SIZE
from kernel.base.errors import Errno
from kernel.mm.address_space import AddressSpace
from kernel.mm.faults import fault
from kernel.mm.mappings.vma import Prot
from kernel.mm.outcome import Outcome
from kernel.mm.usage.clear_refs import clear_refs
from kernel.mm.usage.pagemap import PAGES, pagemap
from tests.kernel.worlds import BASE, World, anonymous

P = PAGE_SIZE
SOFT_DIRTY, FRAME = 1 << 55, (1 << 55) - 1
TRACK_STORES = 4


def entries(space: AddressSpace, count: int, *, expose_frames: bool = False) -> list[int]:
    data = pagemap(space, BASE // P, count, expose_frames=expose_frames)
    return list(memoryview(data).cast("Q"))


def soft_dirty(space: AddressSpace, count: int) -> list[int]:
    """Numbers of the soft-dirty pages among the first ``count``."""
    return [n for n, entry in enumerate(entries(space, count)) if entry & SOFT_DIRTY]


def test_all_pages_of_a_new_mapping_are_soft_dirty(space: AddressSpace) -> None:
    anonymous(space, 3)
    assert soft_dirty(space, 4) == [0, 1, 2]


def test_only_what_is_stored_to_afterwards_is_soft_dirty(world: World, space: AddressSpace) -> None:
    anonymous(space, 4)
    for page in range(3):
        world.store(space, BASE + page * P, b"x")
    clear_refs(space, TRACK_STORES)
    assert soft_dirty(space, 4) == []
    assert world.load(space, BASE, 1) == b"x"
    assert soft_dirty(space, 4) == [], "a load sets no soft-dirty bit"
    assert fault.handle(space, BASE + P, Access.STORE).outcome is Outcome.REUSED
    world.store(space, BASE + 3 * P, b"x")
    assert soft_dirty(space, 4) == [1, 3]
    world.check()


def test_mprotect_gives_no_page_the_right_to_be_stored_to_unseen(
    world: World, space: AddressSpace
) -> None:
    anonymous(space, 2)
    world.store(space, BASE, b"x" * 2 * P)
    clear_refs(space, TRACK_STORES)
    space.protect(BASE, BASE + 2 * P, Prot.READ)
    space.protect(BASE, BASE + 2 * P, Prot.READ | Prot.WRITE)
    world.store(space, BASE + P, b"y")
    assert soft_dirty(space, 2) == [1]
    world.check()


def test_a_child_inherits_what_is_soft_dirty(world: World, space: AddressSpace) -> None:
    anonymous(space, 3)
    world.store(space, BASE, b"x" * 3 * P)
    clear_refs(space, TRACK_STORES)
    world.store(space, BASE, b"y")
    child = world.fork(space)
    assert soft_dirty(child, 3) == soft_dirty(space, 3) == [0]
    world.store(child, BASE + P, b"z")
    assert (soft_dirty(child, 3), soft_dirty(space, 3)) == ([0, 1], [0])
    world.check()


def test_a_mapping_that_grows_is_soft_dirty_as_a_whole(space: AddressSpace) -> None:
    anonymous(space, 2)
    clear_refs(space, TRACK_STORES)
    anonymous(space, 1, at=BASE + 2 * P)
    assert len(space.vmas) == 1
    assert soft_dirty(space, 3) == [0, 1, 2]


@pytest.mark.parametrize("what", [0, 6, -1])
def test_other_numbers_are_refused(space: AddressSpace, what: int) -> None:
    with pytest.raises(Errno, match="EINVAL"):
        clear_refs(space, what)


def test_frame_numbers_are_shown_only_on_request(world: World, space: AddressSpace) -> None:
    anonymous(space, 2)
    world.store(space, BASE, b"x")
    frame = space.table.pte(BASE) >> 10
    assert [entry & FRAME for entry in entries(space, 2)] == [0, 0]
    assert [entry & FRAME for entry in entries(space, 2, expose_frames=True)] == [frame, 0]


def test_pagemap_ends_with_the_addresses(space: AddressSpace) -> None:
    assert len(pagemap(space, PAGES - 2, 5, expose_frames=False)) == 2 * 8
    assert pagemap(space, PAGES, 1, expose_frames=False) == b""
