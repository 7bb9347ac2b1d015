"""Are the changes of a page table found that its kernel made, and those only?"""

from __future__ import annotations

from emu.lab.components.table_diff import Change, Tables, changes, snapshot
from emu.machine.pte import A, D
from kernel.mm.address_space import AddressSpace
from tests.kernel.worlds import BASE, World, anonymous

_FAR = BASE + (1 << 30)


def mapped() -> tuple[World, AddressSpace]:
    world = World()
    space = world.space()
    for start in (BASE, _FAR):
        anonymous(space, 4, at=start)
    world.store(space, BASE, b"x")
    return world, space


def tables(world: World, space: AddressSpace, before: Tables | None = None) -> Tables:
    return snapshot(world.ram, space.table.root, before or {})


def test_is_an_entry_that_was_written_the_only_change() -> None:
    world, space = mapped()
    before, old = tables(world, space), space.table.pte(BASE)
    world.fork(space)
    new = space.table.pte(BASE)
    assert list(changes(before, tables(world, space, before))) == [Change(0, BASE, old, new)]


def test_does_a_pointer_stand_for_all_that_is_below_it() -> None:
    world, space = mapped()
    before = tables(world, space)
    world.store(space, _FAR, b"x")
    (change,) = changes(before, tables(world, space, before))
    assert (change.level, change.address, change.before) == (2, _FAR, 0)


def test_is_a_bit_that_the_hardware_sets_no_change() -> None:
    world, space = mapped()
    pte = space.table.pte(BASE)
    space.table.set_pte(BASE, pte & ~(A | D))
    before = tables(world, space)
    space.table.set_pte(BASE, pte)
    after = tables(world, space, before)
    assert list(changes(before, after)) == []
    assert list(changes(after, before)) == [Change(0, BASE, pte, pte & ~(A | D))]


def test_is_a_table_outside_of_memory_left_out() -> None:
    world, space = mapped()
    assert snapshot(world.ram, 1, {}) == {}
    assert len(tables(world, space)) == 3
