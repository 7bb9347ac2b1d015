"""madvise(2): what the advice of one process does to the pages of others."""

from __future__ import annotations

import pytest

from kernel.mm.forking.fork import POLICIES
from kernel.syscalls.memory.mappings import Map
from tests.kernel.worlds import BASE, RW, Caller, World

P = 4096
_REMOVE = 9


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_a_hole_in_shared_memory_is_a_hole_in_all_processes(policy: str) -> None:
    world = World()
    parent = world.space()
    call = Caller(world, parent)
    call.mmap(BASE, 4 * P, RW, Map.SHARED | Map.ANONYMOUS | Map.FIXED, -1, 0)
    world.store(parent, BASE, b"x" * 4 * P)
    child = world.fork(parent, policy)
    world.load(child, BASE, 4 * P)
    used = world.frames.used
    call.madvise(BASE + P, 2 * P, _REMOVE)
    assert [space.resident_pages() for space in (parent, child)] == [2, 2]
    assert used - world.frames.used >= 2, "their frames are free"
    assert world.load(child, BASE, 4 * P) == b"x" * P + bytes(2 * P) + b"x" * P
    world.check()
    world.end()
