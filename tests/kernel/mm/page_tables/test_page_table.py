"""Does the MMU translate as the kernel has written the page tables?"""

import random

import pytest

from emu.machine.cause import Access
from emu.machine.pte import PAGE_SIZE, A, D, R, U, V, W, make_pte
from emu.machine.ram import Ram
from emu.machine.sv39 import Mmu, TranslationFault
from kernel.base.errors import OutOfMemory
from kernel.check.invariants import leaks
from kernel.mm.mappings.vma import USER_END
from kernel.mm.page_tables.page_table import PageTable
from kernel.mm.physical.frames import Frames, Kind

FLAGS = V | R | W | U | A | D
LEAF = 1 << 21
GIGABYTE = 1 << 30


@pytest.fixture
def frames() -> Frames:
    return Frames(Ram(512 * PAGE_SIZE))


@pytest.fixture
def table(frames: Frames) -> PageTable:
    return PageTable(frames, 1)


def map_new(frames: Frames, table: PageTable, va: int) -> int:
    frame = frames.allocate_zeroed(Kind.PRIVATE)
    table.set_pte(va, make_pte(frame, FLAGS))
    return frame


def test_a_page_that_was_never_mapped_has_no_pte(table: PageTable) -> None:
    assert table.pte(0x1000) == 0
    assert table.pte_address(0x1000) is None
    assert table.pte((1 << 64) - PAGE_SIZE) == 0


def test_a_pte_is_read_back_and_lies_where_it_says(frames: Frames, table: PageTable) -> None:
    frame = map_new(frames, table, 0x1234_5000)
    assert table.pte(0x1234_5FFF) == make_pte(frame, FLAGS)
    address = table.pte_address(0x1234_5000)
    assert address is not None
    assert frames.ram.load64(address) == make_pte(frame, FLAGS)


@pytest.mark.parametrize(
    "addresses, tables",
    [
        ([0], 3),
        ([0, LEAF - PAGE_SIZE], 3),
        ([0, LEAF], 4),
        ([0, GIGABYTE], 5),
        ([0, USER_END - PAGE_SIZE], 5),
        ([LEAF * n for n in range(10)], 12),
    ],
)
def test_tables_are_made_only_where_they_are_needed(
    frames: Frames, table: PageTable, addresses: list[int], tables: int
) -> None:
    for va in addresses:
        map_new(frames, table, va)
    assert table.table_count == tables
    assert frames.used == 1 + tables + len(addresses)


def test_the_mmu_finds_what_the_kernel_maps(frames: Frames, table: PageTable) -> None:
    mmu, pick = Mmu(frames.ram), random.Random(1)
    mmu.satp = table.satp
    pages = {pick.randrange(64) * GIGABYTE + pick.randrange(4) * LEAF + page * PAGE_SIZE
              for page in pick.sample(range(512), 60)}  # fmt: skip
    placed = {va: map_new(frames, table, va) for va in pages}
    for va, frame in placed.items():
        found = mmu.translate(va + 5, Access.LOAD)
        assert not isinstance(found, TranslationFault)
        assert found.pa == (frame << 12) + 5
        assert found.pte == table.pte(va)
        assert isinstance(mmu.translate(va ^ PAGE_SIZE, Access.LOAD), TranslationFault) == (
            va ^ PAGE_SIZE not in placed
        )
    assert sorted(placed) == [va for va, _ in table.present()]


@pytest.mark.parametrize("start", [0, PAGE_SIZE, LEAF - PAGE_SIZE])
@pytest.mark.parametrize("length", [PAGE_SIZE, LEAF, 2 * LEAF + 3 * PAGE_SIZE, USER_END // 2])
def test_slices_give_each_pte_of_a_range_once_and_in_order(
    frames: Frames, table: PageTable, start: int, length: int
) -> None:
    mapped = [0, PAGE_SIZE, LEAF - PAGE_SIZE, LEAF, 2 * LEAF, 3 * LEAF, 70 * GIGABYTE]
    for va in mapped:
        map_new(frames, table, va)
    found = []
    for first, array in table.slices(start, start + length):
        for index, pte in enumerate(array.tolist()):
            if pte:
                found.append(first + index * PAGE_SIZE)
                assert pte == table.pte(found[-1])
    assert found == [va for va in mapped if start <= va < start + length]


def test_an_empty_range_has_no_ptes(table: PageTable, frames: Frames) -> None:
    map_new(frames, table, LEAF)
    for at in (0, PAGE_SIZE, LEAF, LEAF + PAGE_SIZE):
        assert sum(len(array) for _, array in table.slices(at, at)) == 0


def test_writing_to_a_slice_writes_the_table(frames: Frames, table: PageTable) -> None:
    map_new(frames, table, LEAF)
    for _, array in table.slices(LEAF, LEAF + PAGE_SIZE):
        array[:] = 0
    assert table.pte(LEAF) == 0


def test_destroy_gives_every_frame_back(frames: Frames, table: PageTable) -> None:
    for va in (0, LEAF, GIGABYTE, 200 * GIGABYTE):
        map_new(frames, table, va)
    shared = frames.allocate(Kind.CACHE)
    table.set_pte(PAGE_SIZE, make_pte(shared, FLAGS))
    table.set_pte(2 * PAGE_SIZE, make_pte(shared, FLAGS))
    frames.share(shared)
    frames.share(shared)
    table.destroy()
    assert frames.count(shared) == 1
    frames.release(shared)
    assert leaks(frames) == []


@pytest.mark.parametrize("free", [0, 1, 2])
def test_a_table_that_can_not_be_made_leaves_nothing_behind(free: int) -> None:
    frames = Frames(Ram((2 + free) * PAGE_SIZE))
    table = PageTable(frames, 1)
    if free < 2:
        with pytest.raises(OutOfMemory):
            table.leaf(LEAF)
        assert table.pte(LEAF) == 0
    else:
        table.leaf(LEAF)
    table.destroy()
    assert leaks(frames) == []
