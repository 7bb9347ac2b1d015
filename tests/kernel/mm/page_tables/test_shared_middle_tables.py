"""Does a fork with shared-tables share middle tables, one pointer for 1 GiB, and does the first
change of anything below one leave the others as they were?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations

import pytest

from emu.machine.cause import Access
from emu.machine.pte import PAGE_SHIFT, PAGE_SIZE, ppn
from emu.observe.record.memory_usage import memory_use, memory_use_from_counts
from kernel.base.errors import OutOfMemory
from kernel.mm.address_space import AddressSpace
from kernel.mm.faults import fault
from kernel.mm.mappings.huge_policy import HugePages, Thp
from kernel.mm.mappings.vma import Prot
from kernel.mm.outcome import Outcome
from kernel.mm.page_tables.leaf_tables import LEAF_SPAN
from kernel.mm.page_tables.shared_middle_tables import MIDDLE_SHIFT
from kernel.mm.usage.page_users import PageUsers
from tests.kernel.worlds import BASE, World, anonymous, mapped_file, ranges_gone_through

P = PAGE_SIZE
NEXT = BASE + LEAF_SPAN
FAR = BASE + (1 << MIDDLE_SHIFT)
Change = Callable[[World, AddressSpace], object]


@pytest.fixture(params=[True, False], ids=["loops", "NumPy"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with ranges_gone_through(page_by_page=request.param):
        yield World(2048)


def parent(world: World) -> AddressSpace:
    """A space with two middle tables: two leaf tables below the first, one below the second."""
    space = world.space()
    anonymous(space, 1024)
    anonymous(space, 4, at=FAR)
    for at, text in ((BASE, b"page 0"), (BASE + P, b"page 1"), (NEXT, b"next 0"), (FAR, b"far 0!")):
        world.store(space, at, text)
    return space


def fork(world: World, space: AddressSpace) -> AddressSpace:
    child = world.fork(space, "shared-tables")
    world.check()
    return child


def middle(world: World, space: AddressSpace, va: int) -> int:
    """The PPN of the middle table of ``va``, by the root in RAM; 0 for none."""
    return ppn(world.ram.load64((space.table.root << PAGE_SHIFT) + 8 * (va >> MIDDLE_SHIFT)))


def test_is_a_fork_one_pointer_for_a_gibibyte(world: World) -> None:
    space = parent(world)
    fork(world, space)  # takes W
    used = world.frames.used
    child = fork(world, space)
    assert world.frames.used - used == 1, "a root"
    assert world.cost.ptes_written == world.cost.middles_shared == 2
    assert world.cost.tables_shared == 3
    for va in (BASE, FAR):
        assert middle(world, child, va) == middle(world, space, va) != 0
        assert world.frames.count(middle(world, child, va)) == 3
    world.end()


def test_does_a_store_copy_both_tables_and_leave_the_other_gibibyte(world: World) -> None:
    space = parent(world)
    child = fork(world, space)
    used = world.frames.used
    first = fault.handle(child, BASE, Access.STORE)
    assert (first.outcome, first.middle_copied, first.table_copied) == (Outcome.COPIED, True, True)
    assert world.frames.used - used == 3, "two tables and a page"
    second = fault.handle(child, NEXT, Access.STORE)
    assert (second.middle_copied, second.table_copied) == (False, True)
    world.check()
    assert middle(world, child, BASE) != middle(world, space, BASE)
    assert middle(world, child, FAR) == middle(world, space, FAR)
    world.store(child, BASE, b"child!")
    assert world.load(space, BASE, 6) == b"page 0"
    world.end()


def test_does_a_fault_where_no_leaf_table_was_copy_the_middle_table(world: World) -> None:
    space = parent(world)
    space.add(anonymous(world.space(), 1, at=BASE + 8 * LEAF_SPAN))
    child = fork(world, space)
    resolution = fault.handle(child, BASE + 8 * LEAF_SPAN, Access.STORE)
    assert (resolution.middle_copied, resolution.table_copied) == (True, False)
    world.check()
    assert space.table.pte(BASE + 8 * LEAF_SPAN) == 0
    assert world.load(space, BASE + 8 * LEAF_SPAN, 4) == bytes(4)
    world.check()


def test_does_the_last_holder_copy_nothing(world: World) -> None:
    space = parent(world)
    child = fork(world, space)
    world.exit(space)
    world.check()
    used = world.frames.used
    resolution = fault.handle(child, BASE, Access.STORE)
    assert resolution.outcome is Outcome.REUSED
    assert not resolution.middle_copied and not resolution.table_copied
    assert world.frames.used == used
    world.end()


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_may_holders_end_in_any_order(world: World, order: tuple[int, ...]) -> None:
    space = parent(world)
    child = fork(world, space)
    grandchild = fork(world, child)
    world.store(child, BASE + P, b"child!")
    spaces = [space, child, grandchild, fork(world, child)]
    for number in order:
        expected = b"child!" if number in (1, 3) else b"page 1"
        assert world.load(spaces[number], BASE + P, 6) == expected
        assert world.load(spaces[number], FAR, 6) == b"far 0!"
        world.exit(spaces[number])
        world.check()
    world.end()


def _moves(world: World, space: AddressSpace) -> None:
    vma = space.isolate(BASE, BASE + 4 * P)
    assert vma is not None
    space.move(vma, FAR + 900 * P)


CHANGES: dict[str, Change] = {
    "store": lambda world, space: world.store(space, BASE, b"change"),
    "first store to a page": lambda world, space: world.store(space, BASE + 9 * P, b"change"),
    "load of an untouched page": lambda world, space: world.load(space, BASE + 9 * P),
    "munmap of a page": lambda world, space: space.unmap(BASE, BASE + P),
    "munmap of a whole table": lambda world, space: space.unmap(BASE, NEXT),
    "munmap of the gibibyte": lambda world, space: space.unmap(BASE, FAR),
    "mprotect": lambda world, space: space.protect(BASE, BASE + P, Prot.READ),
    "mprotect of all": lambda world, space: space.protect(BASE, BASE + 1024 * P, Prot.NONE),
    "MADV_DONTNEED": lambda world, space: space.zap(BASE, BASE + 4 * P),
    "mremap": _moves,
    "exit or exec": lambda world, space: world.exit(space),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("by", ["parent", "child", "grandchild"])
def test_does_a_change_leave_the_others_as_they_were(world: World, change: str, by: str) -> None:
    spaces = {"parent": parent(world)}
    spaces["child"] = fork(world, spaces["parent"])
    spaces["grandchild"] = fork(world, spaces["child"])
    before = {name: space.table.present() for name, space in spaces.items()}
    CHANGES[change](world, spaces[by])
    world.check()
    for name, space in spaces.items():
        if name != by:
            assert space.table.present() == before[name]
            assert world.load(space, BASE, 6) == b"page 0"
            assert world.load(space, NEXT, 6) == b"next 0"
            world.store(space, BASE + P, b"after!")
            world.check()
    world.end()


@pytest.mark.parametrize("field", ["dont_fork", "wipe_on_fork"])
def test_is_a_gibibyte_with_pages_that_are_not_inherited_parted(world: World, field: str) -> None:
    space = parent(world)
    fork(world, space)
    space.mark(NEXT, NEXT + P, **{field: True})
    child = fork(world, space)
    assert world.cost.middles_shared == 1, "the other one"
    assert middle(world, child, BASE) != middle(world, space, BASE)
    assert child.table.pte(NEXT) == 0 and world.load(space, NEXT, 6) == b"next 0"
    world.store(child, BASE, b"child!")
    assert world.load(space, BASE, 6) == b"page 0"
    world.end()


def test_is_a_gibibyte_with_a_huge_page_parted(world: World) -> None:
    space = parent(world)
    space.set_huge_pages(HugePages(supported=True, mode=Thp.ALWAYS))
    vma = anonymous(space, 512, at=BASE + 16 * LEAF_SPAN)
    world.store(space, vma.start, b"huge")
    assert space.table.is_huge(vma.start)
    child = fork(world, space)
    assert world.cost.middles_shared == 1, "the other one"
    world.store(child, vma.start, b"own!")
    assert world.load(space, vma.start, 4) == b"huge"
    world.check()
    world.end()


def test_may_a_huge_page_come_below_a_shared_middle_table(world: World) -> None:
    space = parent(world)
    space.set_huge_pages(HugePages(supported=True, mode=Thp.ALWAYS))
    vma = anonymous(space, 512, at=BASE + 16 * LEAF_SPAN)
    child = fork(world, space)
    resolution = fault.handle(child, vma.start, Access.STORE)
    assert resolution.huge and resolution.middle_copied
    world.check()
    assert not space.table.is_huge(vma.start) and space.table.pte(vma.start) == 0
    fork(world, child)
    world.end()


@pytest.mark.parametrize("policy", ["cow", "eager"])
def test_may_a_holder_fork_by_another_policy(world: World, policy: str) -> None:
    space = parent(world)
    child = fork(world, space)
    grandchild = world.fork(child, policy)
    world.check()
    world.store(grandchild, BASE, b"grand!")
    world.store(child, NEXT, b"child!")
    world.check()
    assert world.load(space, BASE, 6) == world.load(child, BASE, 6) == b"page 0"
    assert world.load(grandchild, NEXT, 6) == world.load(space, NEXT, 6) == b"next 0"
    world.end()


def test_does_a_file_that_is_cut_lose_its_pages_in_all(world: World) -> None:
    space = parent(world)
    node = world.file(b"x" * 3 * P)
    mapped_file(world, space, node, 3, at=BASE + 32 * LEAF_SPAN)
    world.load(space, BASE + 32 * LEAF_SPAN + 2 * P)
    child = fork(world, space)
    node.truncate_file(P)
    world.check()
    for each in (space, child):
        outcome = world.access(each, BASE + 32 * LEAF_SPAN + 2 * P, Access.LOAD)
        assert outcome is Outcome.BUS_ADRERR
    world.check()


def test_do_users_of_a_page_count_through_both_levels(world: World) -> None:
    space = parent(world)
    child = fork(world, space)
    spaces = [space, child, fork(world, child)]
    world.store(space, NEXT, b"parent")  # its own middle table leads to the same first leaf table
    ptes = dict(space.table.present())
    users = PageUsers(world.frames).of(next(space.table.contents(BASE, NEXT))[1][:1])
    assert users.tolist() == [3]
    assert world.frames.count(ppn(ptes[BASE])) == 1
    use = memory_use(spaces)
    assert [each.resident for each in use] == [4, 4, 4]
    assert use[1].unique == 0 and use[0].unique == 1, "the page that it copied"
    assert use[1].proportional == pytest.approx(3 / 3 + 1 / 2)
    assert memory_use_from_counts(spaces[1]).unique == 0


def test_does_a_store_without_a_frame_for_the_middle_table_change_nothing(world: World) -> None:
    space = parent(world)
    child = fork(world, space)
    shared = middle(world, child, BASE)
    world.frames.total, total = world.frames.touched, world.frames.total
    while world.frames._free:
        world.frames.allocate(1)  # type: ignore[arg-type]
    resolution = fault.handle(child, BASE, Access.STORE)
    assert resolution.outcome is Outcome.OUT_OF_MEMORY
    assert not resolution.middle_copied and middle(world, child, BASE) == shared
    with pytest.raises(OutOfMemory):
        child.unmap(BASE, NEXT)
    assert child.table.present() == space.table.present()
    world.frames.total = total
    world.store(child, BASE, b"child!")
    assert world.load(space, BASE, 6) == b"page 0"
