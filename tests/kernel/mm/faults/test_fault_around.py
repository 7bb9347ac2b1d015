"""Which pages does a read fault map beside its own, and at what cost in memory?"""

import pytest

from emu.machine.cause import Access
from emu.machine.pte import PAGE_SIZE, W
from kernel.base.errors import Errno
from kernel.check.invariants import leaks
from kernel.mm.address_space import AddressSpace
from kernel.mm.backing.shared_memory import SharedMemory
from kernel.mm.faults import fault
from kernel.mm.faults.fault_around import DEFAULT_SIZE
from kernel.mm.mappings.vma import Vma
from tests.kernel.worlds import BASE, RW, World, mapped_file

P = PAGE_SIZE


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def space(world: World) -> AddressSpace:
    around = world.space()
    around.fault_around = DEFAULT_SIZE
    return around


def present(space: AddressSpace) -> list[int]:
    return [(va - BASE) // P for va, _ in space.table.present()]


def test_are_only_those_pages_of_shared_memory_mapped_that_exist(
    world: World, space: AddressSpace
) -> None:
    memory = SharedMemory(world.frames, 16)
    space.add(Vma(BASE, BASE + 16 * P, RW, shared=True, backing=memory))
    for page in (2, 5):
        memory.frame(page)
    used, tables = world.frames.used, space.table.table_count
    world.load(space, BASE + 7 * P)
    assert present(space) == [2, 5, 7]
    assert all(pte & W for _, pte in space.table.present())
    assert world.frames.used - used == 1 + space.table.table_count - tables
    world.check()


def test_is_a_window_of_one_page_the_page_alone(world: World, space: AddressSpace) -> None:
    space.fault_around = P
    mapped_file(world, space, world.file(bytes(8 * P)), 8)
    world.load(space, BASE + 3 * P)
    assert present(space) == [3]


def test_does_a_page_that_cannot_be_read_leave_those_after_it_out(
    world: World, space: AddressSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = world.file(bytes(8 * P))
    mapped_file(world, space, node, 8)
    read = node.read_at

    def failing(offset: int, count: int) -> bytes:
        if offset == 5 * P:
            raise Errno(5)
        data: bytes = read(offset, count)
        return data

    monkeypatch.setattr(node, "read_at", failing)
    world.load(space, BASE + 2 * P)
    assert present(space) == [0, 1, 2, 3, 4]
    world.check()


def test_is_memory_that_is_short_not_used_ahead_of_need() -> None:
    world = World(pages=24)
    space = world.space()
    space.fault_around = DEFAULT_SIZE
    mapped_file(world, space, world.file(bytes(16 * P)), 16)
    for page in range(16):
        world.load(space, BASE + page * P)
    assert present(space) == [*range(16)]
    world.check()
    world.end()
    assert leaks(world.frames) == []


def test_does_a_fault_beyond_the_file_map_the_pages_around(
    world: World, space: AddressSpace
) -> None:
    mapped_file(world, space, world.file(bytes(2 * P)), 8)
    resolution = fault.handle(space, BASE + 5 * P, Access.LOAD)
    assert resolution.failed
    assert resolution.around is not None and len(resolution.around) == 2
    assert present(space) == [0, 1]
    world.check()
