"""The fork policy shared-tables: are leaf page tables shared, copied and taken over correctly?"""

from collections.abc import Iterator
from typing import Any

import pytest

from emu.lab.simulation.cpu import Killed
from emu.machine.cause import Access
from emu.machine.pte import PAGE_SIZE, W, ppn
from kernel.base.errors import OutOfMemory
from kernel.mm.address_space import AddressSpace
from kernel.mm.backing.shared_memory import SharedMemory
from kernel.mm.faults import fault
from kernel.mm.mappings.vma import Prot, Vma
from kernel.mm.outcome import Outcome
from kernel.mm.page_tables.leaf_tables import LEAF_SPAN
from kernel.mm.page_tables.shared_leaf_tables import Shared, SharedTables
from kernel.mm.physical.frames import Kind
from kernel.mm.resolution import Resolution
from tests.kernel.worlds import BASE, RW, Caller, World, anonymous, mapped_file, ranges_gone_through

P = PAGE_SIZE
NEXT = BASE + LEAF_SPAN
"""An address in the leaf table after that of BASE."""


@pytest.fixture(params=[True, False], ids=["loops", "NumPy"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with ranges_gone_through(page_by_page=request.param):
        yield World()


def parent(world: World) -> AddressSpace:
    """A space with two leaf tables: pages 0 and 1 of the first, page 0 of the second."""
    space = world.space()
    anonymous(space, 1024)
    for at, text in ((BASE, b"page 0"), (BASE + P, b"page 1"), (NEXT, b"next 0")):
        world.store(space, at, text)
    return space


def fork(world: World, space: AddressSpace) -> AddressSpace:
    child = world.fork(space, "shared-tables")
    world.check()
    return child


def leaf(space: AddressSpace, va: int) -> int | None:
    """The PPN of the leaf table that maps ``va``."""
    return space.table.leaf_tables().get(va & -LEAF_SPAN)


def handle(space: AddressSpace, va: int, access: Access) -> Resolution:
    resolution = fault.handle(space, va, access)
    assert not resolution.failed
    return resolution


def use_up(world: World) -> list[int]:
    """Allocates all free frames, and returns them."""
    taken = []
    while True:
        try:
            taken.append(world.frames.allocate(Kind.PRIVATE))
        except OutOfMemory:
            return taken


def test_are_the_pages_of_a_table_counted_when_it_is_shared_first_and_not_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []
    count = SharedTables._count

    def counting(table: SharedTables, leaf: int) -> Shared:
        counted.append(leaf)
        return count(table, leaf)

    monkeypatch.setattr(SharedTables, "_count", counting)
    space = parent(world)
    child = fork(world, space)
    assert len(counted) == 2
    fork(world, space)
    fork(world, child)
    assert len(counted) == 2


def give_back(world: World, taken: list[int]) -> None:
    for frame in taken:
        world.frames.release(frame)
    world.check()


# Fork.


def test_is_a_fork_one_pointer_for_two_mebibytes_beside_what_is_not_inherited(
    world: World,
) -> None:
    space = parent(world)
    anonymous(space, 1, at=BASE + 9 * LEAF_SPAN)
    world.store(space, BASE + 9 * LEAF_SPAN, b"own")
    space.mark(BASE + 9 * LEAF_SPAN, BASE + 9 * LEAF_SPAN + P, dont_fork=True)
    used = world.frames.used
    child = fork(world, space)
    assert world.frames.used - used == 2, "a root and one middle table"
    for va in (BASE, NEXT):
        table = leaf(space, va)
        assert table is not None and table == leaf(child, va)
        assert world.frames.count(table) == 2
    assert world.frames.count(ppn(child.table.pte(BASE))) == 1, "one PTE maps it"
    world.end()


def test_what_does_it_say_that_it_cost(world: World) -> None:
    space = parent(world)
    world.load(space, BASE + 9 * P)  # the zero frame, which no eager fork would copy
    fork(world, space)
    cost = world.cost
    assert (cost.tables_shared, cost.pages_shared) == (2, 4)
    assert (cost.frames_copied, cost.eager_copies) == (0, 3)


def test_has_no_private_page_in_a_shared_table_w(world: World) -> None:
    space = parent(world)
    world.store(space, BASE, b"warm")
    child = fork(world, space)
    assert not any(pte & W for _, pte in [*space.table.present(), *child.table.present()])
    world.store(space, BASE, b"hot!")
    assert world.load(child, BASE, 4) == b"warm"


def test_does_a_second_fork_share_the_same_tables(world: World) -> None:
    space = parent(world)
    children = [fork(world, space) for _ in range(3)]
    table = leaf(space, BASE)
    assert table is not None and world.frames.count(table) == 1, "one middle table leads to it"
    assert space.table.leaf_users()[0] == 4
    assert {leaf(child, BASE) for child in children} == {table}
    assert world.cost.tables_shared == 2
    world.end()


def test_is_a_table_that_was_copied_shared_again(world: World) -> None:
    space = parent(world)
    child = fork(world, space)
    world.store(child, BASE, b"child!")
    grandchild = fork(world, child)
    assert leaf(grandchild, BASE) == leaf(child, BASE) != leaf(space, BASE)
    assert world.load(grandchild, BASE, 6) == b"child!"
    world.store(child, BASE, b"later!")
    assert world.load(grandchild, BASE, 6) == b"child!"
    assert world.load(space, BASE, 6) == b"page 0"
    world.end()


def test_may_a_child_of_shared_tables_fork_by_another_policy(world: World) -> None:
    space = parent(world)
    child = fork(world, space)
    for policy in ("cow", "eager", "shared-tables"):
        grandchild = world.fork(child, policy)
        world.check()
        world.store(grandchild, BASE, b"grand!")
        world.check()
        assert world.load(child, BASE, 6) == world.load(space, BASE, 6) == b"page 0"
    world.end()


# The first change.


def test_does_a_read_copy_nothing(world: World) -> None:
    space = parent(world)
    child = fork(world, space)
    used = world.frames.used
    world.outcomes.clear()
    assert world.load(child, BASE, 6) == b"page 0"
    assert world.outcomes == [] and world.frames.used == used
    assert leaf(child, BASE) == leaf(space, BASE)


def test_does_the_first_store_copy_the_table_once_and_then_the_page(world: World) -> None:
    space = parent(world)
    child = fork(world, space)
    used, old = world.frames.used, leaf(space, BASE)
    assert old is not None
    first = handle(child, BASE, Access.STORE)
    assert (first.outcome, first.table_copied, first.count_before) == (Outcome.COPIED, True, 2)
    assert world.frames.used - used == 3, "a middle table, a leaf table and a page"
    second = handle(child, BASE + P, Access.STORE)
    assert (second.outcome, second.table_copied) == (Outcome.COPIED, False)
    assert world.frames.used - used == 4
    assert leaf(space, BASE) == old != leaf(child, BASE) and world.frames.count(old) == 1
    assert leaf(space, NEXT) == leaf(child, NEXT), "the other table was not asked for"
    world.check()
    world.end()


def test_is_the_page_of_the_others_one_holder_more_when_the_table_is_copied(world: World) -> None:
    space = parent(world)
    child = fork(world, space)
    world.store(child, BASE, b"child!")
    assert world.frames.count(ppn(space.table.pte(BASE + P))) == 2
    assert world.frames.count(ppn(space.table.pte(BASE))) == 1
    world.outcomes.clear()
    world.store(space, BASE, b"parent")
    assert world.outcomes == [Outcome.REUSED]
    world.check()


def test_does_a_new_page_stay_with_the_one_who_asked_for_it(world: World) -> None:
    space = parent(world)
    child = fork(world, space)
    assert handle(child, BASE + 7 * P, Access.LOAD).table_copied
    assert not space.table.pte(BASE + 7 * P)
    world.check()
    assert not handle(child, BASE + 8 * P, Access.STORE).table_copied
    assert world.load(space, BASE + 8 * P, 6) == bytes(6)


def test_is_a_table_the_last_ones_own_again_without_a_copy(world: World) -> None:
    space = parent(world)
    child = fork(world, space)
    world.exit(space)
    used, table = world.frames.used, leaf(child, BASE)
    resolution = handle(child, BASE, Access.STORE)
    assert (resolution.outcome, resolution.table_copied) == (Outcome.REUSED, False)
    assert (world.frames.used, leaf(child, BASE)) == (used, table)
    world.check()
    world.end()


def test_no_table_is_copied_under_the_other_policies(world: World) -> None:
    for policy in ("cow", "eager"):
        space = parent(world)
        child = world.fork(space, policy)
        assert world.cost.tables_shared == 0
        assert not handle(child, BASE, Access.STORE).table_copied


def test_does_shared_memory_in_a_shared_table_stay_writable(world: World) -> None:
    space = parent(world)
    memory = SharedMemory(world.frames, 2)
    at = NEXT + LEAF_SPAN
    space.add(Vma(at, at + 2 * P, RW, shared=True, backing=memory))
    world.store(space, at, b"before")
    child = fork(world, space)
    table = leaf(space, at)
    world.outcomes.clear()
    world.store(child, at, b"child!")
    assert world.outcomes == [], "it may be stored to without a fault"
    assert leaf(child, at) == table and world.load(space, at, 6) == b"child!"
    world.store(child, at + P, b"new")  # this page is not present yet, so the table is copied
    assert leaf(child, at) != table and world.load(space, at + P, 3) == b"new"
    world.check()
    world.end()


def test_does_the_kernel_copy_the_table_too_when_it_writes(world: World) -> None:
    space = parent(world)
    child = fork(world, space)
    Caller(world, child).mem.write(BASE, b"KERNEL")
    world.check()
    assert world.load(space, BASE, 6) == b"page 0" and world.load(child, BASE, 6) == b"KERNEL"


# Changes of mappings.


def test_does_munmap_of_a_whole_span_leave_the_table_to_the_others(world: World) -> None:
    space = parent(world)
    child = fork(world, space)
    used = world.frames.used
    world.load(child, BASE)  # and the TLB knows it
    child.unmap(BASE, NEXT)
    assert leaf(child, BASE) is None and world.frames.used == used + 1, "a middle table"
    world.check()
    with pytest.raises(Killed, match="segv_maperr"):
        world.load(child, BASE)
    assert world.load(space, BASE, 6) == b"page 0"
    anonymous(child, 1)
    assert world.load(child, BASE, 6) == bytes(6)
    world.check()
    world.end()


def test_is_a_table_dropped_too_when_all_its_pages_are_in_the_range(world: World) -> None:
    space = parent(world)
    child = fork(world, space)
    child.unmap(BASE, BASE + 2 * P)
    assert leaf(child, BASE) is None and leaf(space, BASE) is not None
    assert world.load(child, BASE + 2 * P, 6) == bytes(6)
    world.check()
    world.end()


@pytest.mark.parametrize(("unmapped", "remaining"), [(0, 1), (1, 0)])
def test_does_munmap_of_a_part_copy_the_table(world: World, unmapped: int, remaining: int) -> None:
    space = parent(world)
    child = fork(world, space)
    child.unmap(BASE + unmapped * P, BASE + unmapped * P + P)
    world.check()
    assert leaf(child, BASE) != leaf(space, BASE)
    with pytest.raises(Killed, match="segv_maperr"):
        world.load(child, BASE + unmapped * P)
    assert world.load(child, BASE + remaining * P, 6) == b"page %d" % remaining
    assert world.load(space, BASE + unmapped * P, 6) == b"page %d" % unmapped
    world.end()


def test_does_munmap_by_the_last_holder_free_the_pages(world: World) -> None:
    space = parent(world)
    child = fork(world, space)
    world.exit(space)
    used = world.frames.used
    child.unmap(BASE, NEXT)
    assert used - world.frames.used == 2
    world.check()
    world.end()


def test_does_madv_dontneed_give_zeroes_to_one_only(world: World) -> None:
    space = parent(world)
    child = fork(world, space)
    world.load(child, BASE)
    Caller(world, child).madvise(BASE, LEAF_SPAN, 4)
    assert world.load(child, BASE, 6) == bytes(6)
    assert world.load(space, BASE, 6) == b"page 0"
    world.check()


def test_does_mprotect_change_one_process_only(world: World) -> None:
    space = parent(world)
    child = fork(world, space)
    child.protect(BASE, BASE + P, Prot.READ)
    world.check()
    with pytest.raises(Killed, match="segv_accerr"):
        world.store(child, BASE, b"x")
    world.store(space, BASE, b"parent")
    child.protect(BASE, BASE + P, RW)
    world.check()
    world.store(child, BASE, b"child!")
    assert world.load(space, BASE, 6) == b"parent"
    assert leaf(child, NEXT) == leaf(space, NEXT)


def test_does_mremap_move_the_pages_of_one_process_only(world: World) -> None:
    space = parent(world)
    child = fork(world, space)
    to = NEXT + 100 * P  # where the table is shared too
    child.unmap(to, to + 2 * P)
    vma = child.isolate(BASE, BASE + 2 * P)
    assert vma is not None
    child.move(vma, to)
    world.check()
    assert world.load(child, to + P, 6) == b"page 1" and world.load(space, BASE + P, 6) == b"page 1"
    assert not space.table.pte(to + P)
    with pytest.raises(Killed, match="segv_maperr"):
        world.load(child, BASE)
    world.store(child, to, b"child!")
    assert world.load(space, BASE, 6) == b"page 0"
    world.end()


@pytest.mark.parametrize("before", [False, True])
def test_are_tables_with_pages_that_are_not_inherited_kept_apart(
    world: World, before: bool
) -> None:
    """Also where the table was shared with an earlier child, before the advice."""
    space = parent(world)
    first = fork(world, space) if before else None
    space.mark(BASE, BASE + P, dont_fork=True)
    child = fork(world, space)
    assert leaf(child, BASE) != leaf(space, BASE) and leaf(child, NEXT) == leaf(space, NEXT)
    assert (world.cost.tables_shared, world.cost.pages_shared) == (1, 2)
    with pytest.raises(Killed, match="segv_maperr"):
        world.load(child, BASE)
    assert world.load(child, BASE + P, 6) == b"page 1"
    world.store(child, BASE + P, b"child!")
    assert world.load(space, BASE + P, 6) == b"page 1"
    if first is not None:
        assert world.load(first, BASE, 6) == b"page 0"
    world.check()
    world.end()


def test_is_memory_to_be_wiped_zero_in_the_child(world: World) -> None:
    space = parent(world)
    space.mark(BASE, BASE + P, wipe_on_fork=True)
    child = fork(world, space)
    assert world.load(child, BASE, 6) == bytes(6)
    assert world.load(child, BASE + P, 6) == b"page 1"
    world.store(child, BASE, b"child!")
    assert world.load(space, BASE, 6) == b"page 0"
    world.check()
    world.end()


# A file that is cut.


def holders_of_a_file(world: World) -> tuple[list[AddressSpace], Any]:
    """Three spaces that share a table with four pages of a file; 0 and 3 are private copies."""
    space = world.space()
    node = world.file(b"".join(b"file %d" % page + bytes(P - 6) for page in range(4)))
    mapped_file(world, space, node, 4)
    for page in range(4):
        world.load(space, BASE + page * P)
    for page in (0, 3):
        world.store(space, BASE + page * P, b"mine %d" % page)
    child = fork(world, space)
    return [space, child, fork(world, child)], node


def test_does_a_truncation_take_no_frame_and_the_pages_from_all(world: World) -> None:
    spaces, node = holders_of_a_file(world)
    table = leaf(spaces[0], BASE)
    for space in spaces:  # and the TLB knows the last one's pages
        world.load(space, BASE + 2 * P)
    taken = use_up(world)
    allocations, used = world.frames.allocations, world.frames.used
    node.truncate_file(P)
    assert world.frames.allocations == allocations
    assert used - world.frames.used == 3, "two pages of the file and a private copy of one"
    assert [leaf(space, BASE) for space in spaces] == [table] * 3, "it is still shared"
    give_back(world, taken)
    for space in reversed(spaces):
        assert world.load(space, BASE, 6) == b"mine 0"
        for page in range(1, 4):
            with pytest.raises(Killed, match="bus_adrerr"):
                world.load(space, BASE + page * P)
    world.check()
    world.end()


def test_does_a_fork_after_a_truncation_count_what_is_left(world: World) -> None:
    spaces, node = holders_of_a_file(world)
    assert (world.cost.tables_shared, world.cost.pages_shared, world.cost.eager_copies) == (1, 4, 2)
    for size, left in ((3 * P, (1, 3, 1)), (P + 7, (1, 2, 1)), (0, (1, 0, 0))):
        node.truncate_file(size)
        for space in spaces:
            child = world.fork(space, "shared-tables")
            cost = world.cost
            assert (cost.tables_shared, cost.pages_shared, cost.eager_copies) == left
            world.exit(child)
        world.check()
    world.end()


def test_does_one_with_a_table_of_its_own_lose_its_pages_to_a_truncation_too(world: World) -> None:
    spaces, node = holders_of_a_file(world)
    world.store(spaces[1], BASE + P, b"mine 1")  # so it has a copy of the table
    assert leaf(spaces[1], BASE) != leaf(spaces[0], BASE) == leaf(spaces[2], BASE)
    node.truncate_file(P)
    world.check()
    for space in spaces:
        assert world.load(space, BASE, 6) == b"mine 0"
        with pytest.raises(Killed, match="bus_adrerr"):
            world.load(space, BASE + P)
    world.end()


# The end.


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0)])
def test_is_every_order_of_exits_fine(world: World, order: tuple[int, ...]) -> None:
    space = parent(world)
    child = fork(world, space)
    spaces = [space, child, fork(world, child)]
    world.store(child, BASE, b"child!")
    for number in order:
        held = b"child!" if number == 1 else b"page 0"
        assert world.load(spaces[number], BASE, 6) == held
        world.exit(spaces[number])
        world.check()
    world.end()


# No frame is left.


def test_does_a_store_without_a_frame_for_the_tables_copy_change_nothing(world: World) -> None:
    space = parent(world)
    child = fork(world, space)
    taken = use_up(world)
    before = child.table.pte(BASE)
    resolution = fault.handle(child, BASE, Access.STORE)
    assert resolution.outcome is Outcome.OUT_OF_MEMORY and not resolution.table_copied
    assert resolution.pte_after == resolution.pte_before == before == child.table.pte(BASE)
    assert leaf(child, BASE) == leaf(space, BASE)
    give_back(world, taken)
    world.store(child, BASE, b"child!")
    assert world.load(space, BASE, 6) == b"page 0"
    world.end()


def test_does_a_frame_for_the_table_only_leave_the_page_shared(world: World) -> None:
    space = parent(world)
    child = fork(world, space)
    taken = use_up(world)
    for _ in range(2):  # of both levels
        world.frames.release(taken.pop())
    resolution = fault.handle(child, BASE, Access.STORE)
    assert resolution.outcome is Outcome.OUT_OF_MEMORY and resolution.table_copied
    give_back(world, taken)
    assert world.load(child, BASE, 6) == b"page 0"
    world.end()


def test_does_a_munmap_that_finds_no_frame_take_nothing_away(world: World) -> None:
    """Its last table has a page outside the range, and must therefore be copied."""
    space = parent(world)
    world.store(space, NEXT + 9 * P, b"next 9")
    child = fork(world, space)
    taken = use_up(world)
    with pytest.raises(OutOfMemory):
        child.unmap(BASE, NEXT + P)
    give_back(world, taken)
    assert world.load(child, BASE, 6) == b"page 0" and world.load(child, NEXT, 6) == b"next 0"
    child.unmap(BASE, NEXT + P)
    world.check()
    assert world.load(child, NEXT + 9 * P, 6) == b"next 9"
    world.end()


def test_does_an_mprotect_that_finds_no_frame_change_no_right(world: World) -> None:
    space = parent(world)
    child = fork(world, space)
    taken = use_up(world)
    with pytest.raises(OutOfMemory):
        child.protect(BASE, BASE + P, Prot.READ)
    give_back(world, taken)
    world.store(child, BASE, b"child!")
    assert world.load(space, BASE, 6) == b"page 0"
    world.end()
