"""MAP_HUGETLB: reservations, the pool, and copies of whole huge pages."""

from __future__ import annotations

import pytest

from emu.machine.cause import Access
from emu.machine.pte import HUGE_FRAMES, HUGE_SIZE, ppn
from kernel.base.errors import Errno, OutOfMemory
from kernel.mm.address_space import AddressSpace
from kernel.mm.forking.fork import POLICIES
from kernel.mm.mappings.vma import MAX_VMAS, Prot
from kernel.mm.outcome import Outcome
from kernel.mm.physical.frames import Frames, Kind
from kernel.mm.physical.huge_pool import HugePool
from kernel.syscalls.memory.mappings import Map
from tests.kernel.worlds import BASE, RW, Caller, World

P = 4096
PRIVATE = int(Map.PRIVATE | Map.ANONYMOUS | Map.HUGETLB)
SHARED = int(Map.SHARED | Map.ANONYMOUS | Map.HUGETLB)


class PoolWorld(World):
    """A world with a pool of ``count`` huge pages."""

    def __init__(self, count: int) -> None:
        super().__init__((count + 2) * HUGE_FRAMES)
        self.pool = HugePool(self.frames, count)
        self.pool.spaces = lambda: self.spaces

    def call(self, space: AddressSpace) -> Caller:
        caller = Caller(self, space)
        caller.kernel.huge_pool = self.pool
        return caller

    def mapped(self, pieces: int, flags: int = PRIVATE) -> AddressSpace:
        """A space with a mapping of ``pieces`` huge pages at BASE."""
        space = self.space()
        self.call(space).mmap(BASE, pieces * HUGE_SIZE, RW, flags | Map.FIXED, -1, 0)
        return space

    def state(self) -> tuple[int, int]:
        return self.pool.free, self.pool.reserved

    def end(self) -> None:
        for space in list(self.spaces):
            self.exit(space)
            self.check()
        assert self.state() == (len(self.pool.runs), 0), "all pages and reservations are back"
        self.pool.release()
        super().end()


def test_a_mapping_reserves_what_its_faults_take() -> None:
    world = PoolWorld(3)
    space = world.mapped(2)
    assert world.state() == (3, 2)
    assert world.access(space, BASE + 5 * P, Access.STORE) is Outcome.ZERO_FILLED
    assert world.access(space, BASE + HUGE_SIZE - P, Access.STORE) is None
    assert world.state() == (2, 1)
    assert space.resident_pages() == 0, "the pool's pages do not count as resident"
    with pytest.raises(Errno, match="ENOMEM"):
        world.mapped(2)
    assert world.state() == (2, 1), "a mapping that fails reserves nothing"
    world.check()
    world.end()


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_a_store_after_fork_copies_all_of_it(policy: str) -> None:
    world = PoolWorld(4)
    parent = world.mapped(1)
    world.store(parent, BASE + P, b"before")
    child = world.fork(parent, policy)
    assert world.state() == (3, 0), "every policy shares it"
    assert world.load(child, BASE + 9 * P) == b"\0"
    assert world.access(child, BASE + P, Access.STORE) is Outcome.COPIED
    assert world.state() == (2, 0)
    world.store(child, BASE + 9 * P, b"child")
    assert world.load(child, BASE + P, 6) == b"before"
    assert world.load(parent, BASE + 9 * P) == b"\0"
    assert world.access(parent, BASE, Access.STORE) is Outcome.REUSED
    world.check()
    world.end()


def test_without_a_free_page_the_owner_takes_the_childs() -> None:
    world = PoolWorld(2)
    parent = world.mapped(2)
    for piece in range(2):
        world.store(parent, BASE + piece * HUGE_SIZE, b"x")
    child = world.fork(parent)
    assert world.access(child, BASE, Access.STORE) is Outcome.BUS_ADRERR
    assert world.load(child, BASE) == b"x", "it may still read"
    assert world.access(parent, BASE, Access.STORE) is Outcome.REUSED
    assert world.access(child, BASE, Access.LOAD) is Outcome.BUS_ADRERR
    assert world.load(child, BASE + HUGE_SIZE) == b"x", "the other one is there"
    world.check()
    world.end()


def test_a_page_of_shared_memory_is_one_for_all() -> None:
    world = PoolWorld(2)
    parent = world.mapped(2, SHARED)
    child = world.fork(parent)
    assert world.access(parent, BASE, Access.LOAD) is Outcome.SHARED
    assert world.access(parent, BASE, Access.STORE) is None, "writable at once"
    world.store(parent, BASE, b"seen")
    assert world.load(child, BASE, 4) == b"seen"
    assert world.state() == (1, 1)
    world.exit(parent)
    assert world.load(child, BASE, 4) == b"seen"
    world.check()
    world.end()


def test_a_reservation_lasts_as_long_as_its_mapping() -> None:
    world = PoolWorld(4)
    parent = world.mapped(3)
    call = world.call(parent)
    world.store(parent, BASE, b"x")
    call.madvise(BASE, HUGE_SIZE, 4)
    assert world.state() == (4, 3), "MADV_DONTNEED reserves the page again"
    call.munmap(BASE + 2 * HUGE_SIZE, HUGE_SIZE)
    assert world.state() == (4, 2)
    child = world.fork(parent)
    world.exit(parent)
    assert world.state() == (4, 0), "it was the parent's, not the child's"
    assert world.access(child, BASE, Access.STORE) is Outcome.ZERO_FILLED
    world.check()
    world.end()


def test_a_mapping_that_fails_late_gives_its_reservation_back() -> None:
    world = PoolWorld(2)
    space = world.mapped(1)
    space.vmas.extend([space.vmas[0]] * MAX_VMAS)
    with pytest.raises(Errno, match="ENOMEM"):
        world.call(space).mmap(2 * BASE, HUGE_SIZE, RW, PRIVATE | Map.FIXED, -1, 0)
    del space.vmas[1:]
    assert world.state() == (2, 1)
    world.end()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("munmap", (BASE, P)),
        ("munmap", (BASE + P, HUGE_SIZE - P)),
        ("mprotect", (BASE, P, Prot.READ)),
        ("madvise", (BASE + P, HUGE_SIZE, 4)),
        ("mremap", (BASE, HUGE_SIZE, 2 * HUGE_SIZE, 1, 0)),
    ],
)
def test_it_is_never_split(name: str, arguments: tuple[int, ...]) -> None:
    world = PoolWorld(2)
    space = world.mapped(2)
    world.store(space, BASE, b"x")
    with pytest.raises(Errno, match="EINVAL"):
        getattr(world.call(space), name)(*arguments)
    assert space.table.is_huge(BASE)
    world.check()
    world.end()


def test_a_pool_that_does_not_fit_takes_nothing() -> None:
    world = World(3 * HUGE_FRAMES)
    used = world.frames.used
    with pytest.raises(OutOfMemory):
        HugePool(world.frames, 3)
    assert world.frames.used == used
    assert isinstance(world.frames, Frames)
    assert Kind.HUGETLB not in world.frames.kinds.tolist()


@pytest.mark.parametrize("shared", [False, True])
def test_is_the_leaf_table_of_pages_that_were_there_before_replaced(shared: bool) -> None:
    world = PoolWorld(2)
    space = world.space()
    call = world.call(space)
    small = int(Map.PRIVATE | Map.ANONYMOUS | Map.FIXED)
    call.mmap(BASE, HUGE_SIZE, RW, small, -1, 0)
    world.store(space, BASE + 5 * P, b"small")
    call.mmap(BASE, HUGE_SIZE, RW, (SHARED if shared else PRIVATE) | Map.FIXED, -1, 0)
    world.store(space, BASE, b"huge")
    assert space.table.is_huge(BASE)
    assert space.table.leaf_tables() == {}, "the huge page takes the leaf table's place"
    assert ppn(space.table.pte(BASE + P)) == ppn(space.table.pte(BASE)) + 1
    world.check()
    world.end()
