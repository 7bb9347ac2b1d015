"""Do pages move to another address unchanged, page by page and with NumPy?"""

from collections.abc import Iterator

import pytest

from emu.lab.simulation.cpu import Killed
from emu.machine.pte import PAGE_SIZE
from kernel.base.errors import OutOfMemory
from kernel.mm.address_space import AddressSpace
from kernel.mm.backing.shared_memory import SharedMemory
from kernel.mm.forking.fork import POLICIES
from kernel.mm.mappings.vma import Prot, Vma
from kernel.mm.page_tables.leaf_tables import LEAF_SPAN
from kernel.mm.usage.maps_text import maps_text
from tests.kernel.worlds import (
    BASE,
    RW,
    Caller,
    World,
    anonymous,
    mapped_file,
    ranges_gone_through,
)

P = PAGE_SIZE
LENGTH = 2 * LEAF_SPAN
FAR = BASE + (1 << 31)
"""Below a middle table of its own."""
TOUCHED = (0, 1, 255, 256, 257, 511, 512, 700, 1023)
TARGETS = pytest.mark.parametrize(
    "to",
    [
        pytest.param(FAR, id="same-entries"),
        pytest.param(FAR + P, id="a-page-up"),
        pytest.param(FAR - P, id="a-page-down"),
        pytest.param(FAR + 256 * P, id="half-a-table"),
        pytest.param(BASE + LENGTH + 256 * P, id="close-by"),
        pytest.param(BASE - LENGTH, id="below"),
    ],
)


@pytest.fixture(autouse=True, params=[True, False], ids=["page-by-page", "numpy"])
def ways(request: pytest.FixtureRequest) -> Iterator[None]:
    with ranges_gone_through(page_by_page=request.param):
        yield


@pytest.fixture
def world() -> Iterator[World]:
    world = World(128)
    yield world
    world.check()
    world.end()


def touched(world: World) -> AddressSpace:
    """A range of pages that begins and ends within leaf tables, and has holes."""
    space = world.space()
    anonymous(space, LENGTH // P, at=BASE + 256 * P)
    for page in TOUCHED:
        world.store(space, BASE + (256 + page) * P, b"page %d" % page)
    return space


def move(space: AddressSpace, to: int) -> None:
    vma = space.find(BASE + 256 * P)
    assert vma is not None
    space.move(vma, to + 256 * P)


def holds(world: World, space: AddressSpace, at: int) -> None:
    for page in TOUCHED:
        expected = b"page %d" % page
        assert world.load(space, at + (256 + page) * P, len(expected)) == expected


@TARGETS
def test_each_pte_is_as_it_was_and_nothing_else_is_mapped(world: World, to: int) -> None:
    space = touched(world)
    world.load(space, BASE + (256 + 300) * P)  # the zero frame
    before = space.table.present()
    counts = world.frames.counts.copy()
    move(space, to)
    world.check()
    assert space.table.present() == [(va - BASE + to, pte) for va, pte in before]
    tables = {frame - world.frames.first for frame in space.table.frames()}
    assert set((world.frames.counts != counts).nonzero()[0].tolist()) <= tables
    holds(world, space, to)


@TARGETS
@pytest.mark.parametrize("policy", POLICIES)
def test_what_fork_shared_moves_in_one_process_only(world: World, to: int, policy: str) -> None:
    space = touched(world)
    child = world.fork(space, policy)
    move(child, to)
    world.check()
    holds(world, child, to)
    holds(world, space, BASE)
    world.store(child, to + 256 * P, b"child!")
    world.store(space, BASE + 257 * P, b"parent")
    assert world.load(space, BASE + 256 * P, 6) == b"page 0"
    assert world.load(child, to + 257 * P, 6) == b"page 1"


def test_pages_move_to_a_table_that_is_shared(world: World) -> None:
    space = touched(world)
    anonymous(space, 1, at=FAR)
    world.store(space, FAR, b"there")
    child = world.fork(space, "shared-tables")
    move(child, FAR)
    world.check()
    holds(world, child, FAR)
    assert [va for va, _ in space.table.present() if va >= FAR] == [FAR]
    assert world.load(child, FAR, 5) == b"there"


@TARGETS
def test_the_tlb_forgets_the_old_place(world: World, to: int) -> None:
    space = touched(world)
    for page in TOUCHED:
        world.load(space, BASE + (256 + page) * P)
    flushes = world.flushes
    move(space, to)
    assert world.flushes == flushes + 1
    for page in TOUCHED:
        if space.find(BASE + (256 + page) * P) is None:
            with pytest.raises(Killed, match="segv_maperr"):
                world.load(space, BASE + (256 + page) * P)


def test_tables_are_made_only_for_pages_that_are_there(world: World) -> None:
    space = world.space()
    anonymous(space, 5 * 512)
    for va in (BASE + P, BASE + 2 * LEAF_SPAN + 510 * P):
        world.store(space, va, b"x")
    count = space.table.table_count
    space.move(space.vmas[0], FAR + P)
    assert space.table.table_count - count == 3, "a middle one and two leaves"


def test_pages_move_within_one_leaf_table(world: World) -> None:
    space = world.space()
    vma = anonymous(space, 200)
    for page in range(0, 200, 9):
        world.store(space, BASE + page * P, b"page %3d\n" % page)
    count = space.table.table_count
    space.move(vma, BASE + 200 * P)
    assert space.table.table_count == count
    for page in range(0, 200, 9):
        assert world.load(space, BASE + (200 + page) * P, 9) == b"page %3d\n" % page


@pytest.mark.parametrize("prot", [Prot.READ, Prot.NONE])
def test_pages_of_files_keep_their_rights(world: World, prot: Prot) -> None:
    space = world.space()
    node = world.file(b"".join(b"file %d" % page + bytes(P - 6) for page in range(9)))
    mapped_file(world, space, node, 9)
    for page in range(9):
        world.load(space, BASE + page * P)
    world.store(space, BASE + 4 * P, b"mine 4")
    space.protect(BASE, BASE + 9 * P, prot)
    before = [pte for _, pte in space.table.present()]
    space.move(space.vmas[0], FAR - 4 * P)
    world.check()
    assert [pte for _, pte in space.table.present()] == before
    space.protect(FAR - 4 * P, FAR + 5 * P, RW)
    assert world.load(space, FAR, 6) == b"mine 4" and world.load(space, FAR + P, 6) == b"file 5"


def test_shared_memory_stays_shared(world: World) -> None:
    space = world.space()
    memory = SharedMemory(world.frames, 100)
    space.add(Vma(BASE, BASE + 100 * P, RW, shared=True, backing=memory))
    for page in range(0, 100, 7):
        world.store(space, BASE + page * P, b"before")
    child = world.fork(space, "shared-tables")
    child.move(child.vmas[0], FAR - 50 * P)
    world.store(child, FAR - P, b"child!")
    assert world.load(space, BASE + 49 * P, 6) == b"child!"


@TARGETS
@pytest.mark.parametrize("policy", POLICIES)
def test_a_move_that_finds_no_frame_moves_nothing(world: World, to: int, policy: str) -> None:
    """For a failure of each of its allocations."""
    space = touched(world)
    child = world.fork(space, policy)
    before = child.table.present()
    left = 0
    while True:
        world.frames.start_counting(fail_at=left + 1)
        try:
            move(child, to)
            break
        except OutOfMemory:
            left += 1
        world.check()
        assert child.table.present() == before
        holds(world, space, BASE)
    assert left > 0 or to == BASE + LENGTH + 256 * P
    holds(world, child, to)


@pytest.mark.parametrize("policy", POLICIES)
def test_an_mremap_that_finds_no_frame_leaves_both_places(world: World, policy: str) -> None:
    """The target's own pages remain until no allocation can fail."""
    space = touched(world)
    to, old = FAR + 256 * P + P, BASE + 256 * P
    anonymous(space, LENGTH // P, at=to)
    world.store(space, to + 600 * P, b"target")
    child = world.fork(space, policy)
    before, vmas = child.table.present(), maps_text(child)
    left = 0
    while True:
        world.frames.start_counting(fail_at=left + 1)
        try:
            Caller(world, child).mremap(old, LENGTH, LENGTH, 3, to)
            break
        except OutOfMemory:
            left += 1
        world.check()
        assert child.table.present() == before and maps_text(child) == vmas
    assert left > 0
    world.check()
    holds(world, child, FAR + P)
    assert world.load(child, to + 600 * P) == b"\0" != world.load(space, to + 600 * P)
