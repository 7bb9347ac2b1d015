"""Advice for reclaim: which pages may be taken, and what their next access costs."""

from __future__ import annotations

import pytest

from emu.machine.cause import Access
from kernel.mm.aging import take_lazily_freed
from kernel.mm.forking.fork import POLICIES
from kernel.mm.outcome import Outcome
from kernel.mm.physical.frames import Kind
from tests.kernel.mm.huge.huge_world import huge_world, is_huge, mapped
from tests.kernel.worlds import BASE, Caller, World, anonymous

P = 4096
_FREE, _COLD = 8, 20


def stored(world: World, pages: int) -> Caller:
    space = world.space()
    anonymous(space, pages)
    for page in range(pages):
        world.store(space, BASE + page * P, b"x")
    return Caller(world, space)


def test_a_freed_page_is_there_until_memory_is_short() -> None:
    world = World()
    call = stored(world, 4)
    space = call.process.space
    call.madvise(BASE, 3 * P, _FREE)
    assert world.load(space, BASE) == b"x"
    assert world.access(space, BASE + P, Access.STORE) is None, "a store needs no fault"
    assert take_lazily_freed(space)
    assert space.resident_pages() == 2, "the one stored to, and the one not freed"
    assert world.load(space, BASE + P) == b"x"
    assert world.load(space, BASE) == world.load(space, BASE + 2 * P) == b"\0"
    assert not take_lazily_freed(space)
    world.check()
    world.end()


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_a_page_that_another_process_has_is_not_taken(policy: str) -> None:
    world = World()
    call = stored(world, 2)
    parent = call.process.space
    child = world.fork(parent, policy)
    call.madvise(BASE, 2 * P, _FREE)
    assert take_lazily_freed(parent) == (policy == "eager")
    assert world.load(child, BASE) == b"x"
    world.check()
    world.end()


def test_without_a_frame_for_a_shared_table_its_pages_stay() -> None:
    world = World(pages=64)
    call = stored(world, 2)
    parent = call.process.space
    call.madvise(BASE, P, _FREE)  # the other page needs the table
    child = world.fork(parent, "shared-tables")
    taken = []
    while world.frames.used < world.frames.total:
        taken.append(world.frames.allocate(Kind.PRIVATE))
    assert not take_lazily_freed(parent)
    assert world.load(parent, BASE) == world.load(child, BASE) == b"x"
    world.frames.release_each(taken)
    world.check()
    world.end()


def test_where_memory_is_short_it_is_taken_at_once() -> None:
    world = World(pages=64)
    call = stored(world, 56)
    assert not world.frames.is_plenty()
    call.madvise(BASE, 56 * P, _FREE)
    assert call.process.space.resident_pages() == 0
    world.check()


def test_a_huge_page_is_freed_as_a_whole_or_split() -> None:
    world = huge_world()
    space = mapped(world, 2)
    for piece in range(2):
        world.store(space, BASE + piece * 512 * P, b"x")
    call = Caller(world, space)
    call.madvise(BASE, 513 * P, _FREE)
    assert is_huge(space, 0) and not is_huge(space, 1)
    assert take_lazily_freed(space)
    assert space.resident_pages() == 511
    world.check()
    world.end()


def test_a_cold_page_is_old_unless_shared() -> None:
    world = World()
    call = stored(world, 2)
    space = call.process.space
    call.madvise(BASE, P, _COLD)
    assert [bool(space.table.pte(BASE + n * P) & 1 << 6) for n in range(2)] == [False, True]
    world.fork(space)
    call.madvise(BASE, 2 * P, _COLD)
    assert space.table.pte(BASE + P) & 1 << 6
    assert world.access(space, BASE, Access.STORE) is Outcome.COPIED
    world.check()
