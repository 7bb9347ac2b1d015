"""Does a child have its parent's memory, and are later stores of either invisible to the other?"""

from collections.abc import Iterator

import pytest

from emu.lab.simulation.cpu import Killed
from emu.machine.pte import PAGE_SIZE, A, V, W, ppn
from kernel.base.errors import OutOfMemory
from kernel.check.invariants import leaks
from kernel.mm.address_space import AddressSpace
from kernel.mm.backing.shared_memory import SharedMemory
from kernel.mm.forking.fork import POLICIES
from kernel.mm.mappings.vma import Prot, Vma
from kernel.mm.outcome import Outcome
from kernel.mm.page_tables.leaf_tables import LEAF_SPAN
from kernel.mm.physical.frames import Frames
from tests.kernel.worlds import (
    BASE,
    RW,
    World,
    anonymous,
    mapped_file,
    ranges_gone_through,
    user_memory,
)

P = PAGE_SIZE
EVERY_POLICY = pytest.mark.parametrize("policy", POLICIES)


@pytest.fixture(params=[True, False], ids=["loops", "NumPy"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with ranges_gone_through(page_by_page=request.param):
        yield World()


def parent(world: World, pages: int = 4) -> AddressSpace:
    """A space with four kinds of pages: stored to, only read, untouched, of a file."""
    space = world.space()
    anonymous(space, pages)
    for page in range(pages - 2):
        world.store(space, BASE + page * P, b"page %d" % page)
    world.load(space, BASE + (pages - 2) * P)
    mapped_file(world, space, world.file(b"file" + bytes(P)), 2, at=BASE + 600 * P)
    world.load(space, BASE + 600 * P)
    return space


@EVERY_POLICY
def test_isolation_both_ways(world: World, policy: str) -> None:
    space = parent(world)
    child = world.fork(space, policy)
    world.check()
    assert world.load(child, BASE, 6) == b"page 0"
    world.store(child, BASE, b"CHILD!")
    world.store(space, BASE + P, b"PARENT")
    assert world.load(space, BASE, 6) == b"page 0"
    assert world.load(child, BASE + P, 6) == b"page 1"
    world.store(space, BASE, b"after")
    assert world.load(child, BASE, 6) == b"CHILD!"
    world.end()


def test_a_warm_tlb_does_not_let_the_parent_write_a_shared_frame(world: World) -> None:
    space = parent(world)
    world.store(space, BASE, b"warm")
    child = world.fork(space)
    world.store(space, BASE, b"hot!")
    assert world.load(child, BASE, 4) == b"warm"


def test_cow_shares_every_frame_and_copies_none(world: World) -> None:
    space = parent(world)
    used = world.frames.used
    child = world.fork(space)
    cost = world.cost
    assert (cost.pages_shared, cost.frames_copied, cost.eager_copies) == (3, 0, 2)
    assert world.frames.used - used == child.table.table_count
    assert not any(pte & W for _, pte in [*space.table.present(), *child.table.present()])
    inherited = [(va, pte & ~A) for va, pte in space.table.pages(BASE, BASE + 4 * P)]
    assert child.table.present() == inherited, "all but that the child has accessed no page"


def test_a_child_finds_files_and_untouched_memory_by_its_own_faults(world: World) -> None:
    space = world.space()
    anonymous(space, 2)
    world.load(space, BASE)
    mapped_file(world, space, world.file(b"read"), 1, at=BASE + 600 * P)
    mapped_file(world, space, world.file(b"stored to" + bytes(P)), 2, at=BASE + 700 * P)
    for page in (600, 700, 701):
        world.load(space, BASE + page * P)
    world.store(space, BASE + 701 * P, b"x")
    child = world.fork(space)
    assert [va for va, _ in child.table.present()] == [BASE + 700 * P, BASE + 701 * P]
    assert world.load(child, BASE + 600 * P, 4) == b"read"
    grandchild = world.fork(child)
    assert grandchild.table.pte(BASE + 700 * P), "a child's mapping keeps its private pages"
    world.check()
    world.end()


def test_eager_copies_private_pages_and_shares_the_rest(world: World) -> None:
    space = parent(world)
    child = world.fork(space, "eager")
    assert (world.cost.pages_shared, world.cost.frames_copied, world.cost.eager_copies) == (1, 2, 2)
    mine, yours = space.table.pte(BASE), child.table.pte(BASE)
    assert mine & W and yours & W and ppn(mine) != ppn(yours)
    world.outcomes.clear()
    world.store(child, BASE, b"x")
    assert world.outcomes == []


@EVERY_POLICY
def test_a_tree_of_forks(world: World, policy: str) -> None:
    root = parent(world)
    spaces = [root]
    for generation in range(3):
        spaces += [world.fork(space, policy) for space in list(spaces)]
        for number, space in enumerate(spaces):
            world.store(space, BASE + 100 * generation, bytes([number + 1]))
        world.check()
    assert len(spaces) == 8
    for number, space in enumerate(spaces):
        assert world.load(space, BASE + 200) == bytes([number + 1])
    for space in spaces[::2]:
        world.exit(space)
        world.check()
    world.end()


def test_the_last_one_left_owns_everything_without_a_copy(world: World) -> None:
    space = parent(world)
    for _ in range(5):
        child = world.fork(space)
        world.exit(space)
        space = child
    world.outcomes.clear()
    world.store(space, BASE, b"x")
    assert world.outcomes == [Outcome.REUSED]


@EVERY_POLICY
def test_shared_memory_stays_shared(world: World, policy: str) -> None:
    space = world.space()
    memory = SharedMemory(world.frames, 2)
    space.add(Vma(BASE, BASE + 2 * P, RW, shared=True, backing=memory))
    world.store(space, BASE, b"before")
    child = world.fork(space, policy)
    world.store(child, BASE, b"BEFORE")
    world.store(child, BASE + P, b"new")
    assert world.load(space, BASE, 6) == b"BEFORE"
    assert world.load(space, BASE + P, 3) == b"new"
    assert world.cost.eager_copies == 0
    world.check()
    world.end()


@EVERY_POLICY
def test_advice_for_fork(world: World, policy: str) -> None:
    space = parent(world)
    space.mark(BASE, BASE + P, dont_fork=True)
    space.mark(BASE + P, BASE + 2 * P, wipe_on_fork=True)
    child = world.fork(space, policy)
    with pytest.raises(Killed, match="segv_maperr"):
        world.load(child, BASE)
    assert world.load(child, BASE + P, 6) == bytes(6)
    assert world.load(space, BASE + P, 6) == b"page 1"
    grandchild = world.fork(child, policy)
    assert world.load(grandchild, BASE + P, 1) == b"\0"
    world.check()
    world.end()


@EVERY_POLICY
def test_memory_out_of_reach_is_forked_too(world: World, policy: str) -> None:
    space = parent(world)
    space.protect(BASE, BASE + P, Prot.NONE)
    child = world.fork(space, policy)
    space.protect(BASE, BASE + P, RW)
    world.store(space, BASE, b"PARENT")
    child.protect(BASE, BASE + P, RW)
    assert world.load(child, BASE, 6) == b"page 0"
    world.check()
    world.end()


def test_a_kernel_write_breaks_the_sharing_too(world: World) -> None:
    space = parent(world)
    child = world.fork(space)
    user_memory(child).write(BASE, b"KERNEL")
    assert world.load(space, BASE, 6) == b"page 0" and world.load(child, BASE, 6) == b"KERNEL"


def test_the_brk_and_the_limits_are_inherited(world: World) -> None:
    space = parent(world)
    space.brk_start, space.brk, space.mmap_top, space.stack_limit = BASE, BASE + 5, 1 << 33, 99 * P
    child = world.fork(space)
    for name in ("brk_start", "brk", "mmap_top", "stack_limit"):
        assert getattr(child, name) == getattr(space, name)


@EVERY_POLICY
def test_a_fork_that_finds_no_frame_leaves_nothing_behind_and_the_parent_as_it_was(
    policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a failure of each of its allocations."""
    original = Frames._take
    for fail_at in range(1, 100):
        world = World()
        space = parent(world, 6)
        space.add(
            Vma(1 << 33, (1 << 33) + P, RW, shared=True, backing=SharedMemory(world.frames, 1))
        )
        world.store(space, 1 << 33, b"shared")
        used, calls = world.frames.used, 0

        def take(self: Frames, kind: int, fail_at: int = fail_at) -> int:
            nonlocal calls
            calls += 1
            if calls == fail_at:
                raise OutOfMemory
            return original(self, kind)  # type: ignore[arg-type]

        flushes = world.flushes
        with monkeypatch.context() as patch:
            patch.setattr(Frames, "_take", take)
            try:
                world.fork(space, policy)
            except OutOfMemory:
                pass
            else:
                break
        flushed = world.flushes > flushes or space.table.pte(BASE) & W
        assert flushed, "the TLB may have W still, which the page has lost"
        assert world.frames.used == used, f"allocation {fail_at} of fork failed and frames are lost"
        world.check()
        assert [world.load(space, BASE + n * P, 6) for n in range(4)] == [
            b"page %d" % n for n in range(4)
        ]
        world.store(space, BASE, b"goes on")
        world.check()
        world.end()
    needed = 1 if policy == "shared-tables" else 3
    assert fail_at > needed, "fork needs a root and, unless it shares them, two middle tables"


def test_two_users_of_a_space_leave_one_after_the_other(world: World) -> None:
    space = parent(world)
    space.users += 1
    space.leave()
    assert space.alive and world.load(space, BASE, 4) == b"page"
    space.leave()
    assert not space.alive
    while world.cache.reclaim():
        pass
    assert leaks(world.frames) == []


def test_a_read_only_page_is_shared_for_ever(world: World) -> None:
    space = parent(world)
    space.protect(BASE, BASE + P, Prot.READ)
    child = world.fork(space)
    assert ppn(child.table.pte(BASE)) == ppn(space.table.pte(BASE))
    assert child.table.pte(BASE) & V
    world.exit(space)
    assert world.load(child, BASE, 6) == b"page 0"


@EVERY_POLICY
def test_a_mapping_of_very_many_tables_is_forked_whole(policy: str) -> None:
    world = World(2048)
    space = world.space()
    tables = 300
    space.add(Vma(BASE, BASE + tables * LEAF_SPAN, RW))
    for number in range(tables):
        world.store(space, BASE + number * LEAF_SPAN, number.to_bytes(2, "little"))
    child = world.fork(space, policy)
    world.check()
    for number in range(0, tables, 37):
        assert world.load(child, BASE + number * LEAF_SPAN, 2) == number.to_bytes(2, "little")
    assert len(child.table.present()) == tables
    world.end()
