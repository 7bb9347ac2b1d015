"""Huge pages: which access maps one, what splits it, and what fork and stores make of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emu.machine.cause import Access
from emu.machine.pte import HUGE_FRAMES, HUGE_SIZE, A, V, W, ppn
from kernel.mm.forking.fork import POLICIES
from kernel.mm.mappings.huge_policy import HugePages, Thp, ThpCow
from kernel.mm.mappings.vma import Prot, VmFlag
from kernel.mm.outcome import Outcome
from kernel.mm.page_tables.page_table import COW
from kernel.mm.physical.frames import Kind
from tests.kernel.mm.huge.huge_world import ALWAYS, P, huge_world, is_huge, mapped
from tests.kernel.worlds import BASE, RW, Caller, anonymous

_HUGEPAGE, _DONTNEED, _COLLAPSE = 14, 4, 25


def test_does_one_store_map_two_mebibytes_of_zeroes() -> None:
    world = huge_world()
    space = mapped(world)
    used = world.frames.used
    assert world.access(space, BASE + 7 * P, Access.STORE) is Outcome.ZERO_FILLED
    assert is_huge(space, 0) and not is_huge(space, 1)
    assert world.access(space, BASE + HUGE_SIZE - P, Access.STORE) is None, "no further fault"
    assert space.resident_pages() == HUGE_FRAMES
    tables = 2  # the middle one, and the leaf table for a split
    assert world.frames.used - used == HUGE_FRAMES + tables
    world.store(space, BASE + 5 * P, b"here")
    assert world.load(space, BASE + 5 * P - 2, 8) == b"\0\0here\0\0"
    world.check()
    world.end()


@pytest.mark.parametrize(
    ("huge_pages", "advice", "expected"),
    [
        (HugePages(True, Thp.NEVER), VmFlag.HUGE, False),
        (HugePages(True, Thp.MADVISE), VmFlag.NONE, False),
        (HugePages(True, Thp.MADVISE), VmFlag.HUGE, True),
        (HugePages(True, Thp.ALWAYS), VmFlag.NONE, True),
        (HugePages(True, Thp.ALWAYS), VmFlag.NO_HUGE, False),
        (HugePages(True, Thp.ALWAYS, disabled=True), VmFlag.HUGE, False),
    ],
)
def test_which_mappings_get_huge_pages(
    huge_pages: HugePages, advice: VmFlag, expected: bool
) -> None:
    world = huge_world(huge_pages=replace(huge_pages, advised=True))
    space = mapped(world)
    space.change_flags(BASE, BASE + HUGE_SIZE, VmFlag.NONE, advice)
    world.store(space, BASE, b"x")
    assert is_huge(space, 0) == expected


def test_a_huge_page_lies_within_its_mapping() -> None:
    world = huge_world()
    space = world.space()
    anonymous(space, 2 * HUGE_FRAMES - 2, at=BASE + P)
    world.store(space, BASE + P, b"below the first multiple of 2 MiB")
    world.store(space, BASE + HUGE_SIZE, b"reaches beyond the end")
    assert not space.table.huge
    assert space.resident_pages() == 2


def test_reads_share_one_huge_page_of_zeroes_until_a_store() -> None:
    world = huge_world()
    space, other = mapped(world), mapped(world)
    for reader in (space, other):
        assert world.access(reader, BASE + 3 * P, Access.LOAD) is Outcome.ZERO_SHARED
        assert world.access(reader, BASE + 9 * P, Access.LOAD) is None, "all 512 pages are mapped"
        assert reader.resident_pages() == 0
    run = world.frames.huge_zero
    assert run is not None and ppn(space.table.pte(BASE)) == run == ppn(other.table.pte(BASE))
    assert world.access(space, BASE + 3 * P, Access.STORE) is Outcome.ZERO_FILLED
    assert is_huge(space, 0) and space.resident_pages() == HUGE_FRAMES
    world.store(space, BASE + 3 * P, b"x")
    assert world.load(other, BASE + 3 * P) == b"\0"
    world.check()
    world.end()
    assert world.frames.huge_zero is None, "given back once no process maps it"


def test_without_a_free_run_pages_of_4_kib_are_mapped() -> None:
    world = huge_world(runs=1)
    space = mapped(world, 3)
    held = [world.frames.allocate_run(Kind.PRIVATE)]
    assert world.access(space, BASE, Access.STORE) is Outcome.ZERO_FILLED
    assert world.access(space, BASE + HUGE_SIZE, Access.LOAD) is Outcome.ZERO_SHARED
    assert not space.table.huge
    assert space.resident_pages() == 1
    world.frames.release_run(held.pop())
    for _ in range(100):  # a search that failed defers the next ones
        space.zap(BASE + 2 * HUGE_SIZE, BASE + 3 * HUGE_SIZE)
        world.store(space, BASE + 2 * HUGE_SIZE, b"x")
    assert is_huge(space, 2)
    world.check()


@pytest.mark.parametrize("policy", ["cow", "shared-tables"])
def test_fork_shares_it_whole_and_a_store_copies_4_kib(policy: str) -> None:
    world = huge_world()
    parent = mapped(world)
    world.store(parent, BASE + P, b"before")
    child = world.fork(parent, policy)
    shared = parent.table.pte(BASE)
    assert child.table.pte(BASE) == shared & ~A and shared & COW and not shared & W
    assert (world.cost.pages_shared, world.cost.frames_copied) == (HUGE_FRAMES, 0)
    assert world.cost.eager_copies == HUGE_FRAMES
    used = world.frames.used
    assert world.access(child, BASE + P, Access.STORE) is Outcome.COPIED
    assert not is_huge(child, 0) and is_huge(parent, 0), "the parent's is not split"
    assert world.frames.used - used == 1, "one frame: the leaf table was kept for the split"
    world.store(child, BASE + P, b"child!")
    assert world.load(parent, BASE + P, 6) == b"before"
    assert world.access(child, BASE + P, Access.STORE) is None
    world.check()
    for page in (BASE + P, BASE + 2 * P):
        copied = world.access(parent, page, Access.STORE) is Outcome.COPIED
        assert copied, "the child has a part of the huge page"
    world.exit(child)
    assert world.access(parent, BASE + 3 * P, Access.STORE) is Outcome.REUSED
    world.check()
    world.end()


def test_its_last_user_keeps_it_whole() -> None:
    world = huge_world()
    parent = mapped(world)
    world.store(parent, BASE, b"x")
    world.exit(world.fork(parent))
    assert world.access(parent, BASE + 9 * P, Access.STORE) is Outcome.REUSED
    assert is_huge(parent, 0)
    assert world.access(parent, BASE, Access.STORE) is None
    world.check()


def test_before_linux_5_8_a_store_copied_two_mebibytes() -> None:
    world = huge_world(huge_pages=replace(ALWAYS, copied=ThpCow.HUGE))
    parent = mapped(world)
    world.store(parent, BASE + P, b"before")
    child = world.fork(parent)
    assert world.load(child, BASE + 7 * P) == b"\0"
    used = world.frames.used
    assert world.access(child, BASE + 9 * P, Access.STORE) is Outcome.COPIED
    assert is_huge(child, 0) and is_huge(parent, 0)
    assert world.frames.used - used == HUGE_FRAMES
    world.store(child, BASE + 7 * P, b"y")
    assert world.load(child, BASE + P, 6) == b"before"
    assert world.load(parent, BASE + 7 * P) == b"\0", "the TLB has forgotten the old frames"
    assert world.access(parent, BASE, Access.STORE) is Outcome.REUSED
    world.check()
    world.end()


def test_a_copy_of_two_mebibytes_without_a_run_copies_4_kib() -> None:
    world = huge_world(runs=1, huge_pages=replace(ALWAYS, copied=ThpCow.HUGE))
    parent = mapped(world, 1)
    world.store(parent, BASE, b"x")
    child = world.fork(parent)
    assert world.access(child, BASE, Access.STORE) is Outcome.COPIED
    assert not is_huge(child, 0)
    assert child.resident_pages() == HUGE_FRAMES
    world.check()


def test_an_eager_fork_copies_it_into_pages_of_4_kib_if_there_is_no_run() -> None:
    for runs in (4, 2):
        world = huge_world(runs)
        parent = mapped(world, 1)
        world.store(parent, BASE + 5 * P, b"before")
        if runs == 2:  # a frame of the last run is taken
            last = world.frames.allocate_run(Kind.PRIVATE)
            for frame in range(last, last + HUGE_FRAMES - 1):
                world.frames.release(frame)
        child = world.fork(parent, "eager")
        assert is_huge(child, 0) == (runs == 4)
        assert world.cost.frames_copied == world.cost.eager_copies == HUGE_FRAMES
        world.store(child, BASE + 5 * P, b"child!")
        assert world.load(parent, BASE + 5 * P, 6) == b"before"
        assert world.access(parent, BASE, Access.STORE) is None, "it kept W"
        if runs == 2:
            world.frames.release(last + HUGE_FRAMES - 1)
        world.check()
        world.end()


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_an_inherited_huge_page_of_zeroes_takes_no_memory(policy: str) -> None:
    world = huge_world()
    parent = mapped(world)
    world.load(parent, BASE)
    child = world.fork(parent, policy)
    assert is_huge(child, 0)
    assert world.cost.eager_copies == world.cost.frames_copied == 0
    assert child.resident_pages() == parent.resident_pages() == 0
    world.store(child, BASE + P, b"x")
    assert world.load(parent, BASE + P) == b"\0"
    world.check()
    world.end()


def test_what_is_done_to_a_part_splits_it() -> None:
    world = huge_world()
    for change in ("munmap", "mprotect", "madvise"):
        space = mapped(world)
        world.store(space, BASE, b"x" * P)
        world.store(space, BASE + 3 * P, b"kept")
        call = Caller(world, space)
        used = world.frames.used
        match change:
            case "munmap":
                call.munmap(BASE + P, P)
            case "mprotect":
                call.mprotect(BASE + P, P, Prot.READ)
            case "madvise":
                call.madvise(BASE + P, P, _DONTNEED)
        released = 0 if change == "mprotect" else 1
        assert not is_huge(space, 0)
        assert used - world.frames.used == released, "a split takes no frame"
        assert world.load(space, BASE + 3 * P, 4) == b"kept"
        world.check()
        world.exit(space)
    world.end()


def test_what_is_done_to_all_of_it_leaves_it_whole() -> None:
    world = huge_world()
    space = mapped(world, 2)
    world.store(space, BASE, b"x")
    call = Caller(world, space)
    call.mprotect(BASE, 2 * HUGE_SIZE, Prot.READ)
    assert is_huge(space, 0)
    assert world.access(space, BASE + P, Access.STORE) is Outcome.SEGV_ACCERR
    call.mprotect(BASE, 2 * HUGE_SIZE, RW)
    assert world.access(space, BASE + P, Access.STORE) is None, "W at once, as it has one user"
    used = world.frames.used
    call.madvise(BASE, HUGE_SIZE, _DONTNEED)
    assert used - world.frames.used == HUGE_FRAMES + 1, "with the leaf table for a split"
    assert world.load(space, BASE) == b"\0"
    world.check()


@pytest.mark.parametrize("offset", [0, P])
def test_a_move_by_a_multiple_of_its_size_keeps_it(offset: int) -> None:
    world = huge_world()
    space = mapped(world, 1)
    world.store(space, BASE + 5 * P, b"moved")
    to = BASE + 16 * HUGE_SIZE + offset
    Caller(world, space).mremap(BASE, HUGE_SIZE, HUGE_SIZE, 3, to)
    assert space.table.is_huge(to) == (offset == 0)
    assert world.load(space, to + 5 * P, 5) == b"moved"
    assert not space.table.pte(BASE) & V
    world.check()
    world.end()


def test_a_collapse_gathers_pages_and_copies_shared_ones() -> None:
    world = huge_world(huge_pages=replace(ALWAYS, mode=Thp.NEVER))
    parent = mapped(world, 2)
    world.store(parent, BASE + P, b"one")
    world.load(parent, BASE + 2 * P)
    child = world.fork(parent)
    Caller(world, child).madvise(BASE, HUGE_SIZE, _COLLAPSE)
    assert is_huge(child, 0) and not is_huge(parent, 0)
    assert world.load(child, BASE + P, 3) == b"one"
    world.store(child, BASE + P, b"two")
    assert world.load(parent, BASE + P, 3) == b"one"
    assert world.access(parent, BASE + P, Access.STORE) is Outcome.REUSED
    world.check()
    world.end()


def test_an_empty_leaf_table_does_not_prevent_one() -> None:
    world = huge_world()
    space = world.space()
    anonymous(space, 8)
    world.store(space, BASE, b"x")
    space.unmap(BASE, BASE + 8 * P)
    anonymous(space, HUGE_FRAMES)
    tables = space.table.table_count
    world.store(space, BASE, b"x")
    assert is_huge(space, 0)
    assert space.table.table_count == tables, "it is kept for the split"
    world.check()
    world.end()


def test_the_kernel_writes_to_huge_pages_as_programs_do() -> None:
    world = huge_world()
    parent = mapped(world)
    call = Caller(world, parent)
    call.mem.write(BASE + 5 * P - 2, b"abcd")
    assert is_huge(parent, 0)
    child = world.fork(parent)
    Caller(world, child).mem.write(BASE + 5 * P, b"xy")
    assert (world.load(parent, BASE + 5 * P, 2), world.load(child, BASE + 5 * P, 2)) == (
        b"cd",
        b"xy",
    )
    world.check()
