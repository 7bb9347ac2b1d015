"""Is the outcome of a page fault right for each mapping and access?"""

import pytest

from emu.machine.cause import Access
from emu.machine.pte import PAGE_SIZE, A, D, R, U, V, W, X, ppn
from kernel.mm.address_space import AddressSpace
from kernel.mm.backing.shared_memory import SharedMemory
from kernel.mm.faults import fault
from kernel.mm.mappings.vma import STACK_GUARD, USER_END, Prot, Vma
from kernel.mm.outcome import Outcome
from kernel.mm.page_tables.page_table import COW
from tests.kernel.worlds import BASE, RW, RX, World, anonymous, mapped_file

P = PAGE_SIZE
FETCH, LOAD, STORE = Access


def flags(space: AddressSpace, va: int = BASE) -> int:
    return space.table.pte(va) & 0x3FF


# Anonymous memory.


def test_a_read_of_untouched_memory_is_the_zero_frame(world: World, space: AddressSpace) -> None:
    anonymous(space, 2)
    assert world.access(space, BASE, LOAD) is Outcome.ZERO_SHARED
    assert world.access(space, BASE + P, LOAD) is Outcome.ZERO_SHARED
    assert ppn(space.table.pte(BASE)) == world.frames.zero
    assert flags(space) == V | R | U | A | COW
    assert world.frames.count(world.frames.zero) == 3


def test_a_read_only_zero_page_is_not_cow(world: World, space: AddressSpace) -> None:
    anonymous(space, 1, Prot.READ)
    world.load(space, BASE)
    assert flags(space) == V | R | U | A


def test_a_store_to_untouched_memory_gets_a_frame(world: World, space: AddressSpace) -> None:
    anonymous(space, 1)
    assert world.access(space, BASE, STORE) is Outcome.ZERO_FILLED
    assert flags(space) == V | R | W | U | A | D


def test_a_store_after_a_read_leaves_the_zero_frame(world: World, space: AddressSpace) -> None:
    anonymous(space, 1)
    world.load(space, BASE)
    assert world.access(space, BASE, STORE) is Outcome.ZERO_FILLED
    assert world.frames.count(world.frames.zero) == 1
    assert world.load(space, BASE, 8) == bytes(8)


# Copy on write.


def test_the_first_store_copies_and_the_last_user_takes_over(
    world: World, space: AddressSpace
) -> None:
    anonymous(space, 1)
    world.store(space, BASE, b"both")
    child = world.fork(space)
    frame = ppn(space.table.pte(BASE))
    assert flags(space) == V | R | U | A | D | COW
    assert flags(child) == V | R | U | D | COW, "it has not accessed the page"
    resolution = fault.handle(child, BASE + 4, STORE)
    assert resolution.outcome is Outcome.COPIED
    assert (resolution.count_before, world.frames.count(frame)) == (2, 1)
    assert ppn(resolution.pte_before) == frame != ppn(resolution.pte_after)
    resolution = fault.handle(space, BASE, STORE)
    assert resolution.outcome is Outcome.REUSED
    assert ppn(resolution.pte_after) == frame and resolution.pte_after & (W | COW) == W


def test_a_copy_has_at_most_the_rights_of_the_original(world: World, space: AddressSpace) -> None:
    anonymous(space, 1)
    world.store(space, BASE, b"data")
    child = world.fork(space)
    world.store(child, BASE, b"mine")
    assert not flags(child) & X


def test_an_executable_page_that_is_copied_is_fetched_from_its_copy(
    world: World, space: AddressSpace
) -> None:
    anonymous(space, 1, Prot(7))
    world.store(space, BASE, b"\x01\x02")
    child = world.fork(space)
    assert world.fetch(child, BASE) == b"\x01\x02"
    world.store(child, BASE, b"\x03\x04")
    assert world.fetch(child, BASE) == b"\x03\x04"
    assert world.fetch(space, BASE) == b"\x01\x02"


@pytest.mark.parametrize("prot, flushes", [(RW, 0), (Prot(7), 1)])
def test_the_copy_of_a_page_that_is_executed_is_flushed_from_the_tlb(
    world: World, space: AddressSpace, prot: Prot, flushes: int
) -> None:
    anonymous(space, 1, prot)
    world.store(space, BASE, b"both")
    child, before = world.fork(space), world.flushes
    assert fault.handle(child, BASE, STORE).outcome is Outcome.COPIED
    assert world.flushes == before + flushes


def test_a_store_across_two_cow_pages_copies_both(world: World, space: AddressSpace) -> None:
    anonymous(space, 2)
    world.store(space, BASE + P - 2, b"abcd")
    child = world.fork(space)
    world.outcomes.clear()
    world.store(child, BASE + P - 2, b"wxyz")
    assert world.outcomes == [Outcome.COPIED] * 2
    assert world.load(space, BASE + P - 2, 4) == b"abcd"
    assert world.load(child, BASE + P - 2, 4) == b"wxyz"


def test_a_store_that_could_already_be_done_is_spurious(world: World, space: AddressSpace) -> None:
    anonymous(space, 1)
    world.store(space, BASE, b"x")
    assert fault.handle(space, BASE, STORE).outcome is Outcome.SPURIOUS
    assert fault.handle(space, BASE, LOAD).outcome is Outcome.SPURIOUS


# A and D.


def map_page(world: World, space: AddressSpace, kind: str) -> None:
    """Maps one untouched page at BASE."""
    if kind == "anonymous":
        anonymous(space, 1)
    elif kind == "file":
        mapped_file(world, space, world.file(b"content"), 1)
    else:
        memory = SharedMemory(world.frames, 1)
        space.add(Vma(BASE, BASE + P, RW, shared=True, backing=memory))


@pytest.mark.parametrize(
    "kind, touched, access, outcome",
    [
        ("anonymous", None, LOAD, Outcome.ZERO_SHARED),
        ("anonymous", None, STORE, Outcome.ZERO_FILLED),
        ("anonymous", LOAD, STORE, Outcome.ZERO_FILLED),
        ("anonymous", STORE, LOAD, Outcome.SPURIOUS),
        ("anonymous", STORE, STORE, Outcome.SPURIOUS),
        ("file", None, LOAD, Outcome.FILE),
        ("file", None, STORE, Outcome.FILE_COPIED),
        ("file", LOAD, STORE, Outcome.FILE_COPIED),
        ("shared", None, LOAD, Outcome.SHARED),
        ("shared", None, STORE, Outcome.SHARED),
        ("shared", LOAD, STORE, Outcome.SPURIOUS),
        ("shared", STORE, LOAD, Outcome.SPURIOUS),
    ],
)
def test_each_outcome_leaves_a_and_d_as_the_access_needs(
    world: World,
    space: AddressSpace,
    kind: str,
    touched: Access | None,
    access: Access,
    outcome: Outcome,
) -> None:
    map_page(world, space, kind)
    if touched is not None:
        fault.handle(space, BASE, touched)
        space.table.set_pte(BASE, space.table.pte(BASE) & ~(A | D))
    assert fault.handle(space, BASE, access).outcome is outcome
    assert flags(space) & (A | D) == (A | D if access is STORE else A)


@pytest.mark.parametrize("others, outcome", [(1, Outcome.COPIED), (0, Outcome.REUSED)])
def test_a_store_to_what_fork_shared_sets_a_and_d(
    world: World, space: AddressSpace, others: int, outcome: Outcome
) -> None:
    anonymous(space, 1)
    world.store(space, BASE, b"both")
    child = world.fork(space)
    if not others:
        world.exit(space)
    child.table.set_pte(BASE, child.table.pte(BASE) & ~(A | D))
    assert fault.handle(child, BASE, STORE).outcome is outcome
    assert flags(child) & (A | D) == A | D


# Files and shared memory.


def test_a_private_file_page_is_shared_until_a_store_copies_it(
    world: World, space: AddressSpace
) -> None:
    node = world.file(b"content")
    backing = mapped_file(world, space, node, 1)
    assert world.access(space, BASE, LOAD) is Outcome.FILE
    assert flags(space) == V | R | U | A | COW
    assert world.frames.count(backing.frame(0)) == 2
    assert world.access(space, BASE, STORE) is Outcome.FILE_COPIED
    assert world.frames.count(backing.frame(0)) == 1
    assert world.load(space, BASE, 7) == b"content"


def test_a_store_to_a_private_file_page_that_was_not_read_copies_it_at_once(
    world: World, space: AddressSpace
) -> None:
    backing = mapped_file(world, space, world.file(b"content"), 1)
    assert world.access(space, BASE, STORE) is Outcome.FILE_COPIED
    assert world.frames.count(backing.frame(0)) == 1


def test_text_is_fetched_from_the_page_cache(world: World, space: AddressSpace) -> None:
    mapped_file(world, space, world.file(b"\x13\0\0\0"), 1, RX)
    assert world.access(space, BASE, FETCH) is Outcome.FILE
    assert flags(space) == V | R | X | U | A


def test_shared_memory_that_was_read_takes_a_store_without_a_fault(
    world: World, space: AddressSpace
) -> None:
    backing = SharedMemory(world.frames, 1)
    space.add(Vma(BASE, BASE + P, RW, shared=True, backing=backing))
    assert world.access(space, BASE, LOAD) is Outcome.SHARED
    assert flags(space) == V | R | W | U | A
    faults = len(world.outcomes)
    world.store(space, BASE, b"x")
    assert len(world.outcomes) == faults
    assert flags(space) == V | R | W | U | A | D


def test_a_file_that_can_not_be_read_is_a_bus_error(
    world: World, space: AddressSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kernel.base.errors import Errno

    node = world.file(b"x")
    mapped_file(world, space, node, 1)

    def broken(offset: int, count: int) -> bytes:
        raise Errno(5)

    monkeypatch.setattr(node, "read_at", broken)
    assert world.access(space, BASE, LOAD) is Outcome.BUS_ADRERR


# What is refused.


@pytest.mark.parametrize(
    "prot, access, allowed",
    [
        (Prot.NONE, LOAD, False),
        (Prot.NONE, STORE, False),
        (Prot.NONE, FETCH, False),
        (Prot.READ, LOAD, True),
        (Prot.READ, STORE, False),
        (Prot.READ, FETCH, False),
        (RW, FETCH, False),
        (RX, STORE, False),
        (RX, FETCH, True),
        (Prot.WRITE, LOAD, True),
        (Prot.EXEC, LOAD, False),
        (Prot(7), FETCH, True),
    ],
)
@pytest.mark.parametrize("present", [False, True])
def test_rights(
    world: World, space: AddressSpace, prot: Prot, access: Access, allowed: bool, present: bool
) -> None:
    anonymous(space, 1, RW)
    if present:
        world.store(space, BASE, b"x")
    space.protect(BASE, BASE + P, prot)
    refused = world.access(space, BASE, access) is Outcome.SEGV_ACCERR
    assert refused is not allowed


@pytest.mark.parametrize(
    "va", [0, BASE - 1, BASE + P, USER_END - 1, USER_END, 1 << 62, (1 << 64) - 1]
)
@pytest.mark.parametrize("access", Access)
def test_nothing_is_mapped_there(
    world: World, space: AddressSpace, va: int, access: Access
) -> None:
    anonymous(space, 1)
    assert fault.handle(space, va, access).outcome is Outcome.SEGV_MAPERR


def test_a_failed_fault_changes_nothing(world: World, space: AddressSpace) -> None:
    anonymous(space, 1, Prot.READ)
    world.load(space, BASE)
    before, used = space.table.pte(BASE), world.frames.used
    resolution = fault.handle(space, BASE, STORE)
    assert resolution.failed and resolution.pte_before == resolution.pte_after == before
    assert (space.table.pte(BASE), world.frames.used) == (before, used)


def test_no_frame_left() -> None:
    world = World(6)
    space = world.space()
    anonymous(space, 8)
    outcomes = [world.access(space, BASE + page * P, STORE) for page in range(4)]
    assert outcomes == [Outcome.ZERO_FILLED] * 2 + [Outcome.OUT_OF_MEMORY] * 2
    assert world.load(space, BASE) == b"\0", "what was there before still is"
    world.check()
    space.unmap(BASE, BASE + P)
    assert world.access(space, BASE + 3 * P, STORE) is Outcome.ZERO_FILLED
    world.end()


# The stack.

TOP = 1 << 36


def stack(space: AddressSpace, pages: int = 2, limit: int = 64 * P) -> Vma:
    vma = Vma(TOP - pages * P, TOP, RW, grows_down=True, name="[stack]")
    space.add(vma)
    space.stack_limit = limit
    return vma


def test_the_stack_grows_to_where_it_is_touched(world: World, space: AddressSpace) -> None:
    vma = stack(space)
    assert world.access(space, TOP - 10 * P + 8, STORE) is Outcome.STACK_GROWN
    assert vma.start == TOP - 10 * P
    assert world.access(space, TOP - 5 * P, STORE) is Outcome.ZERO_FILLED
    assert space.find(TOP - 10 * P) is vma


def test_a_read_grows_it_too(world: World, space: AddressSpace) -> None:
    stack(space)
    assert world.access(space, TOP - 3 * P, LOAD) is Outcome.STACK_GROWN


def test_the_stack_does_not_grow_beyond_its_limit(world: World, space: AddressSpace) -> None:
    stack(space)
    assert world.access(space, TOP - 64 * P, STORE) is Outcome.STACK_GROWN
    assert world.access(space, TOP - 64 * P - 1, STORE) is Outcome.SEGV_MAPERR


def test_the_stack_keeps_its_distance_from_what_lies_below(
    world: World, space: AddressSpace
) -> None:
    below = TOP - 40 * P - STACK_GUARD
    stack(space)
    anonymous(space, 1, at=below - P)
    assert world.access(space, TOP - 41 * P, STORE) is Outcome.SEGV_MAPERR
    assert world.access(space, TOP - 40 * P, STORE) is Outcome.STACK_GROWN


def test_a_guard_page_of_no_access_may_be_near(world: World, space: AddressSpace) -> None:
    stack(space)
    anonymous(space, 1, Prot.NONE, at=TOP - 20 * P)
    assert world.access(space, TOP - 19 * P, STORE) is Outcome.STACK_GROWN
    assert world.access(space, TOP - 20 * P, STORE) is Outcome.SEGV_ACCERR


def test_other_memory_does_not_grow(world: World, space: AddressSpace) -> None:
    anonymous(space, 1)
    assert world.access(space, BASE - 1, STORE) is Outcome.SEGV_MAPERR
