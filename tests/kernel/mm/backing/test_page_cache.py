"""Are a mapped file and read(2) and write(2) of it consistent?"""

from contextlib import suppress
from typing import Any

import pytest

from emu.lab.simulation.cpu import Killed
from emu.machine.pte import PAGE_SIZE
from kernel.base.errors import Errno
from kernel.check import invariants, memory_snapshot
from kernel.mm.address_space import AddressSpace
from kernel.mm.backing.file_pages import FilePages
from kernel.mm.backing.shared_memory import SharedMemory
from kernel.mm.mappings.vma import Prot, Vma
from kernel.mm.physical.frames import Kind
from tests.kernel.worlds import (
    BASE,
    RW,
    World,
    anonymous,
    mapped_file,
    ranges_gone_through,
)

P = PAGE_SIZE
TEXT = b"line one\n"


@pytest.fixture
def node(world: World) -> Any:
    return world.file(TEXT + bytes(2 * P))


def test_a_store_to_a_shared_mapping_is_read_back_by_read(
    world: World, space: AddressSpace, node: Any
) -> None:
    mapped_file(world, space, node, 1, shared=True)
    world.store(space, BASE + 5, b"ONE")
    assert node.read_file(0, 9) == b"line ONE\n"


def test_every_byte_that_was_stored_is_read_back_by_read(
    world: World, space: AddressSpace, node: Any
) -> None:
    """Also the first and the last byte of a page."""
    mapped_file(world, space, node, 2, shared=True)
    text = bytes(range(1, 255)) * 40
    world.store(space, BASE, text[: 2 * P])
    assert node.read_file(0, 2 * P) == text[: 2 * P]
    assert node.read_file(P - 1, 2) == text[P - 1 : P + 1]


def test_a_write_is_seen_through_mappings_that_did_not_copy_the_page(
    world: World, space: AddressSpace, node: Any
) -> None:
    mapped_file(world, space, node, 2, shared=True)
    mapped_file(world, space, node, 1, at=BASE + 8 * P)
    assert world.load(space, BASE, 4) == world.load(space, BASE + 8 * P, 4) == b"line"
    node.write_file(0, b"LINE")
    node.write_file(P - 1, b"xy")
    assert world.load(space, BASE, 4) == world.load(space, BASE + 8 * P, 4) == b"LINE"
    assert world.load(space, BASE + P - 1, 2) == b"xy"


def test_a_private_store_never_reaches_the_file(
    world: World, space: AddressSpace, node: Any
) -> None:
    mapped_file(world, space, node, 1)
    world.store(space, BASE, b"mine")
    assert node.read_file(0, 4) == b"line"
    space.unmap(BASE, BASE + P)
    assert node.read_at(0, 4) == b"line"


def test_two_processes_share_one_frame_of_a_file(
    world: World, space: AddressSpace, node: Any
) -> None:
    other = world.space()
    for each in (space, other):
        mapped_file(world, each, node, 1, shared=True)
        world.load(each, BASE)
    assert space.table.pte(BASE) >> 10 == other.table.pte(BASE) >> 10
    world.store(space, BASE, b"both")
    assert world.load(other, BASE, 4) == b"both"


@pytest.mark.parametrize("how", ["unmap", "exit", "msync"])
def test_what_was_stored_comes_to_the_file(
    world: World, space: AddressSpace, node: Any, how: str
) -> None:
    mapped_file(world, space, node, 1, shared=True)
    world.store(space, BASE, b"LINE")
    if how == "unmap":
        space.unmap(BASE, BASE + P)
    elif how == "exit":
        world.exit(space)
    else:
        space.write_back(space.vmas[0], BASE, BASE + P)
    assert node.read_at(0, 9) == b"LINE one\n"


def test_write_back_does_not_make_the_file_longer(world: World, space: AddressSpace) -> None:
    node = world.file(b"short")
    mapped_file(world, space, node, 1, shared=True)
    world.store(space, BASE + 3, b"RT and much more")
    space.unmap(BASE, BASE + P)
    assert node.read_at(0, 100) == b"shoRT"


@pytest.mark.parametrize("how", ["unmap", "exit"])
def test_a_full_disk_does_not_stop_a_process_from_ending(
    world: World, space: AddressSpace, node: Any, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped_file(world, space, node, 1, shared=True)
    world.store(space, BASE, b"LINE")

    def full(offset: int, data: bytes) -> int:
        raise Errno(28)

    monkeypatch.setattr(node, "write_at", full)
    with pytest.raises(Errno, match="ENOSPC"):
        space.write_back(space.vmas[0], BASE, BASE + P)
    if how == "unmap":
        space.unmap(BASE, BASE + P)
    else:
        world.exit(space)


def test_a_page_beyond_the_end_is_a_bus_error_and_the_last_page_ends_in_zeroes(
    world: World, space: AddressSpace, node: Any
) -> None:
    mapped_file(world, space, node, 4)
    assert world.load(space, BASE + 2 * P + 9, P - 9) == bytes(P - 9)
    with pytest.raises(Killed, match="bus_adrerr"):
        world.load(space, BASE + 3 * P)


def test_an_empty_file_has_no_page(world: World, space: AddressSpace) -> None:
    mapped_file(world, space, world.file(b""), 1)
    with pytest.raises(Killed, match="bus_adrerr"):
        world.load(space, BASE)


def test_a_file_that_is_cut_and_grows_again_has_zeroes_there(
    world: World, space: AddressSpace, node: Any
) -> None:
    mapped_file(world, space, node, 2, shared=True)
    world.store(space, BASE + P, b"gone")
    world.load(space, BASE)
    node.truncate_file(4)
    node.truncate_file(2 * P)
    assert world.load(space, BASE, 9) == b"line\0\0\0\0\0"
    assert world.load(space, BASE + P, 4) == bytes(4)


def test_a_page_cut_off_while_it_is_mapped_is_a_bus_error(
    world: World, space: AddressSpace, node: Any
) -> None:
    mapped_file(world, space, node, 2, shared=True)
    child = world.fork(space)
    world.store(space, BASE + P, b"gone")
    world.load(child, BASE + P)
    node.truncate_file(P)
    world.check()
    for each in (space, child):
        with pytest.raises(Killed, match="bus_adrerr"):
            world.load(each, BASE + P)
        assert world.load(each, BASE, 4) == b"line"


def test_pages_cut_off_are_those_of_the_file_wherever_it_is_mapped(
    world: World, space: AddressSpace
) -> None:
    """From an offset on, the file's page 2 is the mapping's page 1."""
    node = world.file(bytes(4 * P))
    mapped_file(world, space, node, 3, offset=P)
    mapped_file(world, space, node, 1, at=BASE + 16 * P, offset=3 * P)
    for at in (BASE, BASE + P, BASE + 2 * P, BASE + 16 * P):
        world.store(space, at, b"mine")  # private copies go as well
    node.truncate_file(2 * P)
    world.check()
    assert [va for va, _ in space.table.present()] == [BASE]
    for at in (BASE + P, BASE + 2 * P, BASE + 16 * P):
        with pytest.raises(Killed, match="bus_adrerr"):
            world.load(space, at)


def test_a_page_cut_off_while_it_is_not_mapped_is_a_bus_error_later(
    world: World, space: AddressSpace, node: Any
) -> None:
    mapped_file(world, space, node, 2, shared=True)
    world.load(space, BASE + P)
    space.unmap(BASE, BASE + 2 * P)
    node.truncate_file(5)
    mapped_file(world, space, node, 2, shared=True)
    with pytest.raises(Killed, match="bus_adrerr"):
        world.load(space, BASE + P)


def test_a_file_that_grew_has_more_pages(world: World, space: AddressSpace) -> None:
    node = world.file(b"x")
    mapped_file(world, space, node, 2, shared=True)
    world.load(space, BASE)
    node.write_file(P, b"more")
    assert world.load(space, BASE + P, 4) == b"more"


def test_a_file_changed_by_the_host_is_read_again_when_it_is_mapped_anew(
    world: World, space: AddressSpace, node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped_file(world, space, node, 1, Prot.READ)
    assert world.load(space, BASE, 4) == b"line"
    space.unmap(BASE, BASE + P)
    node.write_at(0, b"host")  # without the page cache
    node.mtime += 1
    mapped_file(world, space, node, 1, Prot.READ)
    assert world.load(space, BASE, 4) == b"host"


def test_a_file_that_the_host_made_longer_in_the_same_moment_is_read_again(
    world: World, space: AddressSpace
) -> None:
    """Its modification time is the same, but its size is not."""
    node = world.file(b"short")
    mapped_file(world, space, node, 1, Prot.READ)
    world.load(space, BASE)
    space.unmap(BASE, BASE + P)
    before = node.mtime
    node.write_at(5, b" and long")
    node.mtime = before
    mapped_file(world, space, node, 1, Prot.READ)
    assert world.load(space, BASE, 14) == b"short and long"


def test_two_mappings_at_one_time_show_one_content(
    world: World, space: AddressSpace, node: Any
) -> None:
    """Also where a page that was read is not mapped at the moment."""
    mapped_file(world, space, node, 1, Prot.READ)
    assert world.load(space, BASE, 4) == b"line"
    space.zap(BASE, BASE + P)
    node.write_at(0, b"host")  # without the page cache
    node.mtime += 1
    mapped_file(world, space, node, 1, Prot.READ, at=BASE + 8 * P)
    assert world.load(space, BASE + 8 * P, 4) == world.load(space, BASE, 4) == b"line"


# Memory pressure.


def test_cached_pages_are_kept_until_their_frames_are_needed() -> None:
    world = World(16)
    space, node = world.space(), world.file(bytes(range(250)) * 100)
    backing = mapped_file(world, space, node, 6)
    for page in range(6):
        world.load(space, BASE + page * P)
    space.unmap(BASE, BASE + 6 * P)
    assert all(backing.resident(page) for page in range(6))
    anonymous(space, 12, at=BASE + 16 * P)
    for page in range(9):
        world.store(space, BASE + (16 + page) * P, b"x")
        world.check()
    assert not any(backing.resident(page) for page in range(6))


def test_a_mapped_page_is_not_reclaimed(world: World, space: AddressSpace, node: Any) -> None:
    backing = mapped_file(world, space, node, 3)
    world.load(space, BASE)
    backing.frame(1)
    assert world.cache.reclaim()
    assert backing.resident(0) and not backing.resident(1)
    assert not world.cache.reclaim()


def test_a_stored_page_is_not_forgotten(world: World, space: AddressSpace, node: Any) -> None:
    mapped_file(world, space, node, 1, shared=True)
    world.store(space, BASE, b"LINE")
    space.zap(BASE, BASE + P)
    world.cache.reclaim()
    assert world.load(space, BASE, 4) == b"LINE"


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("store", [False, True])
def test_the_page_that_a_fault_is_about_is_not_reclaimed_for_that_fault(
    shared: bool, store: bool
) -> None:
    """The frames for a new table and a copy may come from the page cache."""
    for pages in range(6, 14):
        world = World(pages)
        space, node = world.space(), world.file(b"file" * P)
        backing = mapped_file(world, space, node, 4, at=1 << 30, shared=shared)
        while world.frames.used < pages - 1:
            world.frames.allocate(Kind.PRIVATE)
        backing.frame(0)
        assert world.frames.used == pages
        with suppress(Killed):
            world.store(space, 1 << 30, b"X") if store else world.load(space, 1 << 30)
        pte = space.table.pte(1 << 30)
        if pte & 1:
            assert world.ram.read_frame(pte >> 10)[1:8] == b"ilefile"
        memory = memory_snapshot.MemorySnapshot(world.frames, world.spaces, world.cache)
        lines = [
            str(violation)
            for violation in invariants.violations(memory)
            if "0 PTEs" not in violation.message  # the frames that the test took
        ]
        assert lines == []


@pytest.mark.parametrize("spare", range(3))
def test_a_page_is_not_reclaimed_while_it_is_copied(spare: int) -> None:
    """A released frame may have any content."""
    world = World(16)
    space, node = world.space(), world.file(b"file" * P)
    backing = mapped_file(world, space, node, 4)
    anonymous(space, 1, at=BASE + 16 * P)
    world.store(space, BASE + 16 * P, b"the table is there")
    for page in range(1 + spare):
        backing.frame(page)

    def reclaim() -> bool:
        freed = world.cache.reclaim()
        for frame in world.frames.free_frames().tolist():
            world.ram.write(frame << 12, b"junk" * 1024)
        return freed

    world.frames.reclaim = reclaim
    while world.frames.used < 16:
        world.frames.allocate(Kind.PRIVATE)
    if spare:
        world.store(space, BASE, b"FILE")
        assert world.load(space, BASE, 12) == b"FILEfilefile"
    else:
        with pytest.raises(Killed, match="out_of_memory"):
            world.store(space, BASE, b"FILE")
    assert world.load(space, BASE + 4, 4) == b"file"


def test_the_cache_forgets_files_that_have_no_pages_left(world: World) -> None:
    for number in range(5):
        pages = world.cache.pages_of(world.file(b"%d" % number))
        pages.frame(0)
    world.cache.reclaim()
    assert world.cache._files == []


# Shared memory.


def test_shared_memory_is_zero_at_first_and_gone_with_its_last_vma(world: World) -> None:
    a, b = world.space(), world.space()
    memory = SharedMemory(world.frames, 2)
    for space in (a, b):
        space.add(Vma(BASE, BASE + 2 * P, RW, shared=True, backing=memory))
    assert world.load(a, BASE, 4) == bytes(4)
    world.store(a, BASE, b"all")
    assert world.load(b, BASE, 3) == b"all"
    world.exit(a)
    assert world.load(b, BASE, 3) == b"all"
    used = world.frames.used
    b.unmap(BASE, BASE + 2 * P)
    assert world.frames.used == used - 1


@pytest.mark.parametrize("page_by_page", [True, False])
def test_shared_memory_gives_each_of_its_frames_back(world: World, page_by_page: bool) -> None:
    """Including unmapped frames; an untouched page has none."""
    space = world.space()
    memory = SharedMemory(world.frames, 300)
    space.add(Vma(BASE, BASE + 300 * P, RW, shared=True, backing=memory))
    for page in range(0, 300, 3):
        world.store(space, BASE + page * P, b"all")
    child = world.fork(space)
    space.zap(BASE, BASE + 100 * P)
    with ranges_gone_through(page_by_page=page_by_page):
        world.exit(space)
        world.check()
        assert world.load(child, BASE, 3) == b"all"
        child.unmap(BASE, BASE + 300 * P)
    assert not memory.held() and Kind.CACHE not in world.frames.kinds


def test_shared_memory_has_an_end(world: World, space: AddressSpace) -> None:
    memory = SharedMemory(world.frames, 1)
    space.add(Vma(BASE, BASE + 2 * P, RW, shared=True, backing=memory))
    with pytest.raises(Killed, match="bus_adrerr"):
        world.load(space, BASE + P)


def test_file_pages_are_what_an_inode_calls_a_mapping(world: World, node: Any) -> None:
    pages = world.cache.pages_of(node)
    assert isinstance(node.mapping, FilePages) and world.cache.pages_of(node) is pages
