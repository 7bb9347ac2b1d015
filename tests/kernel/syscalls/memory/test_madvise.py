"""madvise(2): what the advice of one process does to the pages of others."""

from __future__ import annotations

import pytest

from kernel.base.errno import ENOMEM
from kernel.base.errors import Errno
from kernel.mm.address_space import AddressSpace, MemoryObserver
from kernel.mm.forking.fork import POLICIES
from kernel.mm.mappings.vma import USER_END
from kernel.syscalls.memory.mappings import Map
from tests.kernel.worlds import BASE, RW, Caller, World

P = 4096
_DONTNEED, _FREE, _REMOVE, _COLD, _PAGEOUT, _DONTNEED_LOCKED = 4, 8, 9, 20, 21, 24


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


class ClearedRanges(MemoryObserver):
    """Records the ranges whose pages are released."""

    def __init__(self) -> None:
        self.ranges: list[tuple[int, int]] = []

    def clearing(self, space: AddressSpace, start: int, end: int) -> None:
        self.ranges.append((start, end))


@pytest.mark.parametrize("address", [USER_END, 1 << 62, 1 << 63, (1 << 64) - P])
@pytest.mark.parametrize("advice", [_DONTNEED, _DONTNEED_LOCKED, _FREE, _COLD, _PAGEOUT, _REMOVE])
def test_advice_on_addresses_that_no_user_has_changes_nothing(address: int, advice: int) -> None:
    world = World()
    space = world.space()
    space.observer = observer = ClearedRanges()
    with pytest.raises(Errno) as error:
        Caller(world, space).madvise(address, P, advice)
    assert error.value.errno == ENOMEM
    assert observer.ranges == []
    world.end()


def test_advice_reaches_to_the_end_of_user_addresses() -> None:
    world = World()
    space = world.space()
    call = Caller(world, space)
    call.mmap(BASE, P, RW, Map.PRIVATE | Map.ANONYMOUS | Map.FIXED, -1, 0)
    world.store(space, BASE, b"x")
    space.observer = observer = ClearedRanges()
    with pytest.raises(Errno):
        call.madvise(BASE, 1 << 63, _DONTNEED)
    assert world.load(space, BASE) == b"\0"
    assert all(end <= USER_END for _, end in observer.ranges)
    world.end()
