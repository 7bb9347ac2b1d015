"""Do the VMAs and the page table of a process always agree?"""

import pytest

from emu.lab.simulation.cpu import Killed
from emu.machine.cause import Access
from emu.machine.pte import PAGE_SIZE, V, W, X, ppn
from kernel.base.errors import Errno, OutOfMemory
from kernel.mm.address_space import AddressSpace
from kernel.mm.backing.shared_memory import SharedMemory
from kernel.mm.forking.fork import POLICIES, fork
from kernel.mm.mappings.vma import LOWEST, MAX_VMAS, STACK_GUARD, USER_END, Prot, Vma
from kernel.mm.outcome import Outcome
from kernel.mm.page_tables.page_table import COW
from kernel.mm.physical.frames import Kind
from kernel.mm.usage.maps_text import maps_text
from tests.kernel.worlds import BASE, RW, RX, World, anonymous, mapped_file

P = PAGE_SIZE


def ranges(space: AddressSpace) -> list[tuple[int, int, Prot]]:
    """(first page, end page, rights) relative to BASE."""
    return [((v.start - BASE) // P, (v.end - BASE) // P, v.prot) for v in space.vmas]


# Finding and joining.


def test_a_vma_holds_its_first_byte_and_not_its_end(space: AddressSpace) -> None:
    vma = anonymous(space, 2)
    assert space.find(BASE) is vma and space.find(BASE + 2 * P - 1) is vma
    assert space.find(BASE - 1) is None and space.find(BASE + 2 * P) is None
    assert space.above(BASE - 1) is vma and space.above(BASE) is None


def test_alike_neighbours_become_one(space: AddressSpace) -> None:
    anonymous(space, 1, at=BASE)
    anonymous(space, 1, at=BASE + 2 * P)
    assert len(space.vmas) == 2
    anonymous(space, 1, at=BASE + P)
    assert ranges(space) == [(0, 3, RW)]


@pytest.mark.parametrize("other", [{"prot": Prot.READ}, {"name": "[heap]"}, {"grows_down": True},
                                   {"dont_fork": True}, {"wipe_on_fork": True}])  # fmt: skip
def test_unlike_neighbours_stay_two(space: AddressSpace, other: dict[str, object]) -> None:
    anonymous(space, 1)
    space.add(Vma(BASE + P, BASE + 2 * P, **{"prot": RW, **other}))  # type: ignore[arg-type]
    assert len(space.vmas) == 2


def test_a_stack_and_what_lies_above_it_stay_two(world: World, space: AddressSpace) -> None:
    """Otherwise its limit would be counted from the other's end."""
    space.stack_limit = 16 * P
    space.add(Vma(BASE, BASE + P, RW, grows_down=True))
    anonymous(space, 8, at=BASE + P)
    assert ranges(space) == [(0, 1, RW), (1, 9, RW)]
    world.store(space, BASE - 15 * P, b"deep")


def test_a_private_mapping_and_a_shared_one_that_goes_on_stay_two(
    world: World, space: AddressSpace
) -> None:
    node = world.file(bytes(2 * P))
    mapped_file(world, space, node, 1)
    mapped_file(world, space, node, 1, at=BASE + P, offset=P, shared=True)
    world.store(space, BASE, b"mine")
    world.store(space, BASE + P, b"both")
    world.check()
    space.unmap(BASE, BASE + 2 * P)
    assert node.read_at(0, 4) == bytes(4) and node.read_at(P, 4) == b"both"


@pytest.mark.parametrize("locked", [0, 1])
def test_a_file_opened_read_only_stays_so_beside_one_that_goes_on(
    world: World, space: AddressSpace, locked: int
) -> None:
    """Both are mappings of one file, by two descriptors."""
    backing = world.cache.pages_of(world.file(bytes(2 * P)))
    for page in range(2):
        start, may_write = BASE + page * P, page != locked
        space.add(Vma(start, start + P, Prot.READ, True, backing, page * P, may_write=may_write))
    with pytest.raises(Errno, match="EACCES"):
        space.protect(BASE + locked * P, BASE + locked * P + P, RW)
    other = BASE + (1 - locked) * P
    space.protect(other, other + P, RW)
    world.check()


def test_a_mark_begins_and_ends_where_it_is_said(space: AddressSpace) -> None:
    anonymous(space, 4)
    space.mark(BASE + P, BASE + 3 * P, dont_fork=True)
    assert [vma.dont_fork for vma in space.vmas] == [False, True, False]
    assert ranges(space) == [(0, 1, RW), (1, 3, RW), (3, 4, RW)]


def test_file_mappings_join_only_where_the_file_goes_on(world: World, space: AddressSpace) -> None:
    node = world.file(bytes(4 * P))
    mapped_file(world, space, node, 1, at=BASE, offset=0)
    mapped_file(world, space, node, 1, at=BASE + P, offset=P)
    mapped_file(world, space, node, 1, at=BASE + 2 * P, offset=3 * P)
    assert ranges(space) == [(0, 2, RW), (2, 3, RW)]
    assert node.mapping.users == 2


@pytest.mark.parametrize("start, end, covered", [(0, 3, True), (0, 4, False), (1, 2, True),
                                                 (3, 3, True), (2, 5, False),
                                                 (4, 5, True)])  # fmt: skip
def test_covers(space: AddressSpace, start: int, end: int, covered: bool) -> None:
    anonymous(space, 2)
    anonymous(space, 1, RX, BASE + 2 * P)
    anonymous(space, 1, RX, BASE + 4 * P)
    assert space.covers(BASE + start * P, BASE + end * P) is covered


def test_a_gap_is_found_from_the_top_and_at_the_hint(space: AddressSpace) -> None:
    space.mmap_top = BASE + 10 * P
    assert space.find_gap(P) == BASE + 9 * P
    anonymous(space, 2, at=BASE + 8 * P)
    anonymous(space, 1, at=BASE + 5 * P)
    assert space.find_gap(2 * P) == BASE + 6 * P
    assert space.find_gap(3 * P) == BASE + 2 * P
    assert space.find_gap(P, BASE + 1) == BASE + P
    assert space.find_gap(P, BASE + 5 * P) == BASE + 7 * P
    assert space.find_gap(P, USER_END) == BASE + 7 * P
    with pytest.raises(Errno, match="ENOMEM"):
        space.find_gap(BASE + 10 * P - LOWEST + P)


def test_a_gap_below_a_growing_stack_leaves_it_room(space: AddressSpace) -> None:
    space.mmap_top = BASE + 2 * STACK_GUARD
    space.add(Vma(space.mmap_top - P, space.mmap_top, RW, grows_down=True))
    assert space.find_gap(P) == space.mmap_top - P - STACK_GUARD - P


def test_there_is_a_limit_to_the_number_of_vmas(space: AddressSpace) -> None:
    """mmap(2) adds a VMA while there are not more than vm.max_map_count, so that there may be one
    more (Linux: mappings are made up to 65,531)."""
    space.vmas = [Vma(0, P, RW)] * (MAX_VMAS + 1)
    with pytest.raises(Errno, match="ENOMEM"):
        anonymous(space, 1)
    space.vmas = []


# Unmapping.


def test_unmapping_the_middle_leaves_both_ends_with_their_pages(
    world: World, space: AddressSpace
) -> None:
    anonymous(space, 5)
    for page in range(5):
        world.store(space, BASE + page * P, bytes([page + 65]))
    used = world.frames.used
    space.unmap(BASE + P, BASE + 4 * P)
    assert ranges(space) == [(0, 1, RW), (4, 5, RW)]
    assert world.frames.used == used - 3
    assert world.load(space, BASE) == b"A" and world.load(space, BASE + 4 * P) == b"E"
    with pytest.raises(Killed, match="segv_maperr"):
        world.load(space, BASE + P)


def test_what_is_mapped_anew_holds_nothing_of_the_old(world: World, space: AddressSpace) -> None:
    anonymous(space, 1)
    world.store(space, BASE, b"old")
    space.unmap(BASE, BASE + P)
    anonymous(space, 1)
    assert world.load(space, BASE, 3) == bytes(3)


def test_unmapping_across_holes_and_nothing_is_fine(world: World, space: AddressSpace) -> None:
    anonymous(space, 1)
    anonymous(space, 1, at=BASE + 3 * P)
    space.unmap(BASE - 5 * P, BASE + 10 * P)
    space.unmap(BASE, BASE + P)
    assert space.vmas == []


def test_a_sparse_range_is_emptied_up_to_its_last_table(world: World, space: AddressSpace) -> None:
    """The range spans more tables than exist."""
    pages = 40 * 512
    anonymous(space, pages + 1)
    for page in (0, pages - 1, pages):
        world.store(space, BASE + page * P, b"x")
    space.zap(BASE, BASE + pages * P)
    assert [va for va, _ in space.table.present()] == [BASE + pages * P]
    space.unmap(BASE, BASE + (pages + 1) * P)
    assert list(space.table.present()) == []
    world.check()


# Protection.


def test_protecting_a_part_splits_and_protecting_it_back_joins(space: AddressSpace) -> None:
    anonymous(space, 5)
    space.protect(BASE + P, BASE + 3 * P, Prot.READ)
    assert ranges(space) == [(0, 1, RW), (1, 3, Prot.READ), (3, 5, RW)]
    space.protect(BASE + P, BASE + 3 * P, RW)
    assert ranges(space) == [(0, 5, RW)]


def test_the_parts_of_a_stack_that_was_cut_grow_and_stay_apart(
    world: World, space: AddressSpace
) -> None:
    """As on Linux, each part is VM_GROWSDOWN; a part may end where the next begins."""
    space.add(Vma(BASE, BASE + 4 * P, RW, grows_down=True))
    space.protect(BASE + P, BASE + 3 * P, Prot.READ)
    space.protect(BASE + P, BASE + 3 * P, RW)
    assert ranges(space) == [(0, 1, RW), (1, 3, RW), (3, 4, RW)]
    assert all(vma.grows_down for vma in space.vmas)
    world.store(space, BASE - P, b"grown")
    assert ranges(space) == [(-1, 1, RW), (1, 3, RW), (3, 4, RW)]


@pytest.mark.parametrize("name", ["[stack]", ""])
@pytest.mark.parametrize(("first", "end"), [(0, 1), (0, 3), (3, 4), (2, 6)])
def test_a_hole_in_a_stack_is_filled_again_where_it_is_touched(
    world: World, space: AddressSpace, name: str, first: int, end: int
) -> None:
    """As on Linux: at the stack's lowest pages and in its middle; with MAP_GROWSDOWN too."""
    space.add(Vma(BASE, BASE + 8 * P, RW, grows_down=True, name=name))
    for page in range(8):
        world.store(space, BASE + page * P, b"old %d" % page)
    space.unmap(BASE + first * P, BASE + end * P)
    world.check()
    for page in reversed(range(first, end)):
        world.outcomes.clear()
        assert world.load(space, BASE + page * P, 5) == bytes(5)
        assert world.outcomes == [Outcome.STACK_GROWN]
        world.store(space, BASE + page * P, b"new")
        world.check()
    for page in {*range(8)} - {*range(first, end)}:
        assert world.load(space, BASE + page * P, 5) == b"old %d" % page
    world.end()


def test_a_hole_in_a_stack_is_filled_from_the_touched_page_up(
    world: World, space: AddressSpace
) -> None:
    space.add(Vma(BASE, BASE + 8 * P, RW, grows_down=True))
    space.unmap(BASE + 2 * P, BASE + 6 * P)
    world.store(space, BASE + 4 * P, b"new")
    assert ranges(space) == [(0, 2, RW), (4, 8, RW)]


def test_a_hole_above_a_stack_that_ends_in_other_memory_is_none_of_its_own(
    world: World, space: AddressSpace
) -> None:
    """The mapping above the hole does not grow down, so no fault fills the hole."""
    space.add(Vma(BASE, BASE + 8 * P, RW, grows_down=True))
    space.unmap(BASE + 6 * P, BASE + 8 * P)
    anonymous(space, 1, at=BASE + 7 * P)
    with pytest.raises(Killed, match="segv_maperr"):
        world.store(space, BASE + 6 * P, b"x")


def test_protecting_over_a_hole_changes_what_lies_below_it(
    world: World, space: AddressSpace
) -> None:
    """From the middle of one mapping, over another, to a hole, as Linux does."""
    anonymous(space, 2)
    anonymous(space, 1, RX, at=BASE + 2 * P)
    anonymous(space, 1, at=BASE + 4 * P)
    world.store(space, BASE, b"both" * (P // 2))
    with pytest.raises(Errno, match="ENOMEM"):
        space.protect(BASE + P, BASE + 5 * P, Prot.READ)
    # As in Linux the second is not merged with the first, which counts as committed memory.
    assert ranges(space) == [(0, 1, RW), (1, 2, Prot.READ), (2, 3, Prot.READ), (4, 5, RW)]
    world.check()
    with pytest.raises(Killed, match="segv_accerr"):
        world.store(space, BASE + P, b"x")
    world.store(space, BASE, b"x")


def test_protecting_what_ends_before_the_range_does_changes_it(space: AddressSpace) -> None:
    anonymous(space, 2)
    with pytest.raises(Errno, match="ENOMEM"):
        space.protect(BASE + P, BASE + 3 * P, Prot.READ)
    assert ranges(space) == [(0, 1, RW), (1, 2, Prot.READ)]


@pytest.mark.parametrize("first", [-2, 1])
def test_protecting_from_a_hole_on_changes_nothing(space: AddressSpace, first: int) -> None:
    anonymous(space, 1)
    anonymous(space, 1, at=BASE + 2 * P)
    with pytest.raises(Errno, match="ENOMEM"):
        space.protect(BASE + first * P, BASE + 3 * P, Prot.READ)
    assert ranges(space) == [(0, 1, RW), (2, 3, RW)]


def test_protecting_stops_at_what_may_not_have_the_right(world: World, space: AddressSpace) -> None:
    """Also before a hole: the first of the two gives the error."""
    backing = world.cache.pages_of(world.file(bytes(2 * P)))
    anonymous(space, 1, Prot.READ)
    sealed = Vma(BASE + P, BASE + 3 * P, Prot.READ, shared=True, backing=backing, may_write=False)
    space.add(sealed)
    anonymous(space, 1, Prot.READ, at=BASE + 3 * P)
    with pytest.raises(Errno, match="EACCES"):
        space.protect(BASE, BASE + 5 * P, RW)
    assert ranges(space) == [(0, 1, RW), (1, 3, Prot.READ), (3, 4, Prot.READ)]
    with pytest.raises(Errno, match="EACCES"):
        space.protect(BASE + 2 * P, BASE + 4 * P, RW)
    assert ranges(space) == [(0, 1, RW), (1, 3, Prot.READ), (3, 4, Prot.READ)]
    world.check()


def test_protecting_stops_at_a_mapping_that_can_not_be_cut(
    space: AddressSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the limit of mappings (vm.max_map_count): pages below are changed, as on Linux."""
    anonymous(space, 1, RX)
    anonymous(space, 3, at=BASE + P)
    space.mark(BASE + P, BASE + 4 * P, dont_fork=True)
    monkeypatch.setattr("kernel.mm.mappings.vma_list.MAX_VMAS", 2)
    with pytest.raises(Errno, match="ENOMEM"):
        space.protect(BASE, BASE + 2 * P, Prot.READ)
    assert ranges(space) == [(0, 1, Prot.READ), (1, 4, RW)]
    monkeypatch.setattr("kernel.mm.mappings.vma_list.MAX_VMAS", 3)
    with pytest.raises(Errno, match="ENOMEM"):
        space.protect(BASE + 2 * P, BASE + 3 * P, Prot.READ)
    assert ranges(space) == [(0, 1, Prot.READ), (1, 2, RW), (2, 4, RW)], "of two cuts it got one"


def test_at_the_limit_of_vmas_what_takes_no_further_vma_succeeds(
    world: World, space: AddressSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part that is merged with its neighbour, and an end that is unmapped; not a hole."""
    anonymous(space, 2, Prot.READ)
    anonymous(space, 6, at=BASE + 2 * P)
    monkeypatch.setattr("kernel.mm.mappings.vma_list.MAX_VMAS", 2)
    space.protect(BASE + 2 * P, BASE + 4 * P, Prot.READ)
    assert ranges(space) == [(0, 4, Prot.READ), (4, 8, RW)]
    space.protect(BASE + 3 * P, BASE + 4 * P, RW)
    assert ranges(space) == [(0, 3, Prot.READ), (3, 8, RW)]
    with pytest.raises(Errno, match="ENOMEM"):
        space.unmap(BASE + 4 * P, BASE + 5 * P)
    space.unmap(BASE + 2 * P, BASE + 4 * P)
    assert ranges(space) == [(0, 2, Prot.READ), (4, 8, RW)]
    with pytest.raises(Errno, match="ENOMEM"):
        space.protect(BASE + 5 * P, BASE + 6 * P, Prot.READ)
    world.check()


def test_the_sizes_that_limits_bound_are_those_of_the_vmas(space: AddressSpace) -> None:
    def sizes() -> tuple[int, ...]:
        return tuple(
            size // P for size in (space.mapped_bytes, space.data_bytes, space.locked_bytes)
        )

    anonymous(space, 4)
    anonymous(space, 2, Prot.READ, at=BASE + 6 * P)
    assert sizes() == (6, 4, 0)
    space.mark(BASE + P, BASE + 3 * P, locked=True)
    space.protect(BASE, BASE + 2 * P, Prot.READ)
    assert sizes() == (6, 2, 2)
    part = space.isolate(BASE + 2 * P, BASE + 3 * P)
    assert part is not None
    space.move(part, BASE + 100 * P)
    space.set_end(part, BASE + 102 * P)
    assert sizes() == (7, 3, 3)
    child, _ = fork(space, 2, POLICIES["cow"])
    assert (child.mapped_bytes, child.data_bytes, child.locked_bytes) == (7 * P, 3 * P, 0)
    child.leave()
    space.unmap(BASE, BASE + 7 * P)
    assert sizes() == (3, 2, 2)


def test_a_page_made_read_only_and_writable_again_keeps_its_content_and_needs_no_copy(
    world: World, space: AddressSpace
) -> None:
    anonymous(space, 1)
    world.store(space, BASE, b"kept")
    space.protect(BASE, BASE + P, Prot.READ)
    with pytest.raises(Killed, match="segv_accerr"):
        world.store(space, BASE, b"x")
    space.protect(BASE, BASE + P, RW)
    assert world.access(space, BASE, Access.STORE) is None
    assert world.load(space, BASE, 4) == b"kept"


def test_no_access_and_back_keeps_the_content(world: World, space: AddressSpace) -> None:
    anonymous(space, 1)
    world.store(space, BASE, b"kept")
    space.protect(BASE, BASE + P, Prot.NONE)
    for access in Access:
        assert world.access(space, BASE, access) is Outcome.SEGV_ACCERR
    assert space.table.pte(BASE) & V, "the page stays in memory"
    space.protect(BASE, BASE + P, RW)
    assert world.load(space, BASE, 4) == b"kept"


@pytest.mark.parametrize("side", [0, 1])
def test_mprotect_can_not_make_a_shared_frame_writable(
    world: World, space: AddressSpace, side: int
) -> None:
    anonymous(space, 1)
    world.store(space, BASE, b"both")
    space.protect(BASE, BASE + P, Prot.READ)
    child = world.fork(space)
    writer, other = (space, child) if side == 0 else (child, space)
    writer.protect(BASE, BASE + P, RW)
    assert not writer.table.pte(BASE) & W and writer.table.pte(BASE) & COW
    world.check()
    assert world.access(writer, BASE, Access.STORE) is Outcome.COPIED
    world.store(writer, BASE, b"mine")
    assert world.load(other, BASE, 4) == b"both"


def test_the_zero_frame_and_file_pages_never_become_writable(
    world: World, space: AddressSpace
) -> None:
    node = world.file(b"file" + bytes(P - 4))
    anonymous(space, 1, Prot.READ)
    mapped_file(world, space, node, 1, Prot.READ, BASE + P)
    world.load(space, BASE, 2 * P)
    space.protect(BASE, BASE + 2 * P, RW)
    world.check()
    world.store(space, BASE, b"zero?")
    world.store(space, BASE + P, b"mine")
    assert node.read_file(0, 4) == b"file"
    assert world.load(space, BASE, 5) == b"zero?"


def test_a_file_opened_read_only_can_not_be_mapped_shared_and_then_made_writable(
    world: World, space: AddressSpace
) -> None:
    backing = world.cache.pages_of(world.file(bytes(P)))
    space.add(Vma(BASE, BASE + P, Prot.READ, shared=True, backing=backing, may_write=False))
    with pytest.raises(Errno, match="EACCES"):
        space.protect(BASE, BASE + P, RW)


def test_memory_that_is_no_longer_executable_is_not_fetched(
    world: World, space: AddressSpace
) -> None:
    anonymous(space, 1, RW | RX)
    world.store(space, BASE, b"code")
    world.fetch(space, BASE)
    space.protect(BASE, BASE + P, RW)
    assert not space.table.pte(BASE) & X
    world.check()
    with pytest.raises(Killed, match="segv_accerr"):
        world.fetch(space, BASE)


def test_a_shared_page_made_writable_again_still_informs_its_file_of_a_store(
    world: World, space: AddressSpace
) -> None:
    node = world.file(b"file")
    mapped_file(world, space, node, 1, shared=True)
    world.load(space, BASE)
    space.protect(BASE, BASE + P, Prot.READ)
    space.protect(BASE, BASE + P, RW)
    assert not space.table.pte(BASE) & W
    world.store(space, BASE, b"FILE")
    assert node.read_file(0, 4) == b"FILE"
    world.check()


def test_execute_only_memory_can_be_fetched_and_not_read(world: World, space: AddressSpace) -> None:
    anonymous(space, 1, Prot.EXEC)
    assert world.access(space, BASE, Access.LOAD) is Outcome.SEGV_ACCERR
    assert world.fetch(space, BASE) == bytes(2)


def test_writable_memory_is_readable_as_risc_v_knows_no_other(
    world: World, space: AddressSpace
) -> None:
    anonymous(space, 1, Prot.WRITE)
    world.store(space, BASE, b"text")
    assert world.load(space, BASE, 4) == b"text"


# Moving.


def test_moving_takes_the_pages_along(world: World, space: AddressSpace) -> None:
    vma = anonymous(space, 3)
    world.store(space, BASE, b"first")
    world.store(space, BASE + 2 * P, b"third")
    frame, to = ppn(space.table.pte(BASE)), BASE + 700 * P
    space.move(vma, to)
    assert ppn(space.table.pte(to)) == frame and not space.table.pte(BASE)
    assert world.load(space, to, 5) == b"first" and world.load(space, to + 2 * P, 5) == b"third"
    assert world.load(space, to + P, 1) == b"\0"
    with pytest.raises(Killed, match="segv_maperr"):
        world.load(space, BASE)


def test_a_move_that_finds_no_table_moves_nothing() -> None:
    world = World(8)  # zero frame, 3 tables, 2 pages: two are left, and 3 tables are needed
    space = world.space()
    vma = anonymous(space, 2)
    world.store(space, BASE, b"a")
    world.store(space, BASE + P, b"b")
    world.frames.allocate(Kind.PRIVATE)
    with pytest.raises(OutOfMemory):
        space.move(vma, BASE + (1 << 31))
    assert world.load(space, BASE) == b"a" and world.load(space, BASE + P) == b"b"


@pytest.mark.parametrize("left", range(4))
def test_a_move_to_several_tables_moves_all_pages_or_none(left: int) -> None:
    """From two leaf tables to two others, below another middle table."""
    world = World(64)
    space = world.space()
    middle = BASE + 512 * P
    vma = Vma(middle - P, middle + P, RW)
    space.add(vma)
    world.store(space, middle - P, b"a")
    world.store(space, middle, b"b")
    world.frames.total = world.frames.touched + left
    at, to = middle, middle + (1 << 31)
    if left < 3:
        with pytest.raises(OutOfMemory):
            space.move(vma, to - P)
    else:
        space.move(vma, to - P)
        at = to
    world.frames.total = world.ram.frame_count
    world.check()
    assert world.load(space, at - P) == b"a" and world.load(space, at) == b"b"
    world.end()


def test_moved_shared_memory_is_the_same_memory(world: World, space: AddressSpace) -> None:
    backing = SharedMemory(world.frames, 2)
    space.add(Vma(BASE, BASE + 2 * P, RW, shared=True, backing=backing))
    world.store(space, BASE + P, b"here")
    child = world.fork(space)
    moved = space.isolate(BASE + P, BASE + 2 * P)
    assert moved is not None
    space.move(moved, BASE + 9 * P)
    world.store(space, BASE + 9 * P, b"there")
    assert world.load(child, BASE + P, 5) == b"there"


def test_maps_text_is_as_in_proc(space: AddressSpace) -> None:
    anonymous(space, 2, RX)
    space.add(Vma(BASE + 2 * P, BASE + 3 * P, RW, name="[heap]"))
    first, second = maps_text(space).splitlines()
    assert first == "40000000-40002000 r-xp 00000000 00:00 0 "
    assert second.split() == ["40002000-40003000", "rw-p", "00000000", "00:00", "0", "[heap]"]
    assert second.index("[heap]") == 73
