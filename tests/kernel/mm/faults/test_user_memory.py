"""Can the kernel access user memory exactly where the user can?"""

import pytest

from emu.machine.pte import PAGE_SIZE, D
from kernel.base.errors import Errno, OutOfMemory
from kernel.mm.address_space import AddressSpace
from kernel.mm.faults.user_memory import UserMemory
from kernel.mm.mappings.vma import USER_END, Prot
from kernel.mm.outcome import Outcome
from kernel.mm.resolution import Resolution
from tests.kernel.worlds import BASE, RW, World, anonymous, mapped_file, user_memory

P = PAGE_SIZE


@pytest.fixture
def space(world: World) -> AddressSpace:
    space = world.space()
    anonymous(space, 4)
    anonymous(space, 1, Prot.READ, BASE + 4 * P)
    return space


@pytest.fixture
def mem(space: AddressSpace) -> UserMemory:
    return user_memory(space)


def test_what_is_written_across_pages_is_read_back(mem: UserMemory) -> None:
    data = bytes(range(256)) * 40
    mem.write(BASE + 100, data)
    assert mem.read(BASE + 100, len(data)) == data
    assert mem.read(BASE + 99, 2) == b"\0\0"


def test_the_user_sees_it_at_once_whatever_its_tlb_holds(
    world: World, space: AddressSpace, mem: UserMemory
) -> None:
    assert world.load(space, BASE, 1) == b"\0"  # the zero frame is in the TLB now
    mem.write(BASE, b"new")
    assert world.load(space, BASE, 3) == b"new"
    child = world.fork(space)
    assert world.load(child, BASE, 3) == b"new"  # and here the shared frame
    user_memory(child).write(BASE, b"CoW")
    assert world.load(child, BASE, 3) == b"CoW"
    assert world.load(space, BASE, 3) == b"new"


def test_a_private_file_page_too(world: World, space: AddressSpace, mem: UserMemory) -> None:
    mapped_file(world, space, world.file(b"file"), 1, at=BASE + 8 * P)
    assert world.load(space, BASE + 8 * P, 4) == b"file"
    mem.write(BASE + 8 * P, b"mine")
    assert world.load(space, BASE + 8 * P, 4) == b"mine"


def test_words_are_little_endian_and_cut_to_their_size(mem: UserMemory) -> None:
    mem.write_u64(BASE, -2)
    assert mem.read_u64(BASE) == (1 << 64) - 2
    mem.write_u32(BASE + P - 2, 0x1_2345_6789)
    assert mem.read_u32(BASE + P - 2) == 0x2345_6789
    assert mem.read(BASE + P - 2, 4) == b"\x89\x67\x45\x23"


@pytest.mark.parametrize(
    "va, count",
    [
        (0, 1),
        (BASE - 1, 2),
        (BASE + 5 * P - 1, 2),
        (USER_END - 1, 1),
        (USER_END, 1),
        ((1 << 64) - 1, 2),
        ((1 << 64) - 8, 8),
        (BASE, 1 << 62),
    ],
)
def test_bad_addresses_are_efault(mem: UserMemory, va: int, count: int) -> None:
    with pytest.raises(Errno, match="EFAULT"):
        mem.read(va, count)
    with pytest.raises(Errno, match="EFAULT"):
        mem.write(va, bytes(min(count, 64)) if count < 1 << 40 else bytes(6 * P))


def test_nothing_is_read_of_a_buffer_of_no_length(mem: UserMemory) -> None:
    assert mem.read(0, 0) == b""
    mem.write(0, b"")


def test_the_kernel_does_not_write_where_the_user_may_not(mem: UserMemory) -> None:
    with pytest.raises(Errno, match="EFAULT"):
        mem.write(BASE + 4 * P, b"x")
    assert mem.read(BASE + 4 * P, 1) == b"\0"


def test_a_write_that_fails_half_way_has_written_what_lies_before(mem: UserMemory) -> None:
    with pytest.raises(Errno, match="EFAULT"):
        mem.write(BASE + 4 * P - 3, b"abcdef")
    assert mem.read(BASE + 4 * P - 3, 3) == b"abc"
    assert mem.writable(BASE + 3 * P, 5 * P) == P
    assert mem.writable(BASE + 4 * P, 1) == 0


def test_strings(mem: UserMemory) -> None:
    mem.write(BASE + P - 3, b"across\0more")
    assert mem.read_cstr(BASE + P - 3) == b"across"
    mem.write(BASE + 4 * P - 4, b"end\0")
    assert mem.read_cstr(BASE + 4 * P - 4) == b"end"


def test_a_string_may_end_with_its_page_and_the_next_is_not_looked_at(
    space: AddressSpace, mem: UserMemory
) -> None:
    space.unmap(BASE + 4 * P, BASE + 5 * P)
    mem.write(BASE + 4 * P - 4, b"end\0")
    assert mem.read_cstr(BASE + 4 * P - 4) == b"end"
    mem.write(BASE + 4 * P - 4, b"endX")
    with pytest.raises(Errno, match="EFAULT"):
        mem.read_cstr(BASE + 4 * P - 4)


def test_a_string_without_an_end_is_too_long(mem: UserMemory) -> None:
    mem.write(BASE, b"x" * 4096)
    with pytest.raises(Errno, match="ENAMETOOLONG"):
        mem.read_cstr(BASE)
    assert mem.read_cstr(BASE, 4097) == b"x" * 4096


def test_faults_on_the_way_are_reported(space: AddressSpace) -> None:
    resolutions: list[Resolution] = []
    mem = user_memory(space, resolutions)
    mem.read(BASE, 1)
    mem.write(BASE, b"x")
    mem.write(BASE, b"x")
    assert [each.outcome for each in resolutions] == [Outcome.ZERO_SHARED, Outcome.ZERO_FILLED]


def test_a_kernel_write_sets_the_dirty_bit(space: AddressSpace, mem: UserMemory) -> None:
    mem.write(BASE, b"x")
    space.table.set_pte(BASE, space.table.pte(BASE) & ~D)
    mem.write(BASE, b"y")
    assert space.table.pte(BASE) & D


def test_memory_that_can_not_be_had_is_not_efault() -> None:
    world = World(5)
    space = world.space()
    anonymous(space, 3, RW)
    mem = user_memory(space)
    mem.write(BASE, b"x")
    with pytest.raises(OutOfMemory):
        mem.write(BASE + P, b"x")
