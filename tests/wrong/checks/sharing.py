"""Fork and the first stores after it: contents, costs and leaks."""

from __future__ import annotations

from itertools import count

import numpy as np

from emu.machine.cause import Access
from emu.machine.pte import V, W, make_pte, ppn
from kernel.base.errors import OutOfMemory
from kernel.mm.backing.shared_memory import SharedMemory
from kernel.mm.forking.fork import POLICIES
from kernel.mm.mappings.vma import Prot, Vma
from kernel.mm.outcome import Outcome
from kernel.mm.physical.frames import Frames, Kind
from tests.kernel.worlds import BASE, RW, RX, anonymous, mapped_file
from tests.wrong.checks.check import Checks, same
from tests.wrong.checks.scene import FILE, P, scene

CHECKS = Checks("sharing")


@CHECKS
def a_child_sees_what_its_parent_stored() -> None:
    with scene() as s:
        for policy in POLICIES:
            child = s.fork(s.parent, policy)
            for page in range(3):
                s.holds(child, BASE + page * P, b"page %d" % page, "the child")
            s.exit(child)


@CHECKS
def neither_sees_what_the_other_stores() -> None:
    for policy in POLICIES:
        with scene() as s:
            child = s.fork(s.parent, policy)
            s.store(child, BASE, b"child!")
            s.store(s.parent, BASE + P, b"parent")
            s.holds(s.parent, BASE, b"page 0", "the parent")
            s.holds(child, BASE + P, b"page 1", "the child")
            s.holds(child, BASE, b"child!", "the child")


@CHECKS
def a_warm_tlb_stores_to_no_shared_frame() -> None:
    with scene() as s:
        child = s.fork(s.parent)
        s.store(s.parent, BASE, b"parent")
        s.holds(child, BASE, b"page 0", "the child")


@CHECKS
def the_first_store_copies_and_the_last_takes_over() -> None:
    with scene() as s:
        child = s.fork(s.parent)
        s.did(*[Outcome.ZERO_FILLED] * 3)
        s.store(child, BASE, b"child!")
        s.did(Outcome.COPIED)
        s.store(s.parent, BASE, b"parent")
        s.did(Outcome.REUSED)
        s.store(s.parent, BASE, b"again!")
        s.did()


@CHECKS
def a_copy_is_of_the_whole_page() -> None:
    with scene(1) as s:
        s.store(s.parent, BASE, bytes(range(1, 251)) * 16)
        child = s.fork(s.parent)
        s.store(child, BASE + 8, b"x")
        s.holds(child, BASE, (bytes(range(1, 251)) * 16)[:8] + b"x", "the child")
        s.holds(child, BASE + 9, (bytes(range(1, 251)) * 16)[9:], "the child")


@CHECKS
def three_processes_share_and_part() -> None:
    with scene() as s:
        child = s.fork(s.parent)
        grandchild = s.fork(child)
        for name, space in ((b"one", s.parent), (b"two", child)):
            s.store(space, BASE, name)
        s.did(*[Outcome.ZERO_FILLED] * 3, Outcome.COPIED, Outcome.COPIED)
        s.exit(child)
        s.holds(grandchild, BASE, b"page 0", "the grandchild")
        s.store(grandchild, BASE, b"new")
        s.did(Outcome.REUSED)


@CHECKS
def shared_memory_stays_one_memory() -> None:
    for policy in POLICIES:
        with scene(0) as s:
            memory = SharedMemory(s.frames, 2)
            s.parent.inherits_all = True
            s.parent.add(Vma(BASE, BASE + 2 * P, RW, shared=True, backing=memory))
            s.store(s.parent, BASE, b"before")
            child = s.fork(s.parent, policy)
            s.store(child, BASE, b"child!")
            s.holds(s.parent, BASE, b"child!", "the parent")


@CHECKS
def zeroes_are_read_from_one_frame_and_stored_to_another() -> None:
    with scene(0) as s:
        anonymous(s.parent, 5)
        for page in range(4):
            s.holds(s.parent, BASE + page * P, bytes(8), "the parent")
        s.store(s.parent, BASE + 4 * P, b"private")
        child = s.fork(s.parent)
        s.store(child, BASE, b"child!")
        s.did(*[Outcome.ZERO_SHARED] * 4, *[Outcome.ZERO_FILLED] * 2)
        s.holds(s.parent, BASE, bytes(8), "the parent")


@CHECKS
def a_frame_that_was_used_comes_back_as_zeroes() -> None:
    with scene() as s:
        s.parent.unmap(BASE, BASE + 3 * P)
        other = s.space()
        anonymous(other, 6, at=FILE)
        for page in range(6):
            s.store(other, FILE + page * P + 4000, b"x")
            s.holds(other, FILE + page * P, bytes(8), "another process")


@CHECKS
def read_only_pages_stay_read_only_across_a_fork() -> None:
    with scene() as s:
        s.parent.protect(BASE, BASE + P, Prot.READ)
        s.refuses(s.parent, BASE, b"x", Outcome.SEGV_ACCERR)
        child = s.fork(s.parent)
        for space in (s.parent, child):
            s.refuses(space, BASE, b"x", Outcome.SEGV_ACCERR)


@CHECKS
def a_child_inherits_its_limits() -> None:
    with scene() as s:
        space = s.parent
        space.brk_start = space.brk = BASE + 9 * P
        space.mmap_top, space.stack_limit = 1 << 33, 99 * P
        child = s.fork(space)
        for name in ("brk_start", "brk", "mmap_top", "stack_limit"):
            same(getattr(child, name), getattr(space, name), f"the child's {name}")


@CHECKS
def fork_follows_advice() -> None:
    with scene() as s:
        s.parent.mark(BASE, BASE + P, dont_fork=True)
        s.parent.mark(BASE + P, BASE + 2 * P, wipe_on_fork=True)
        child = s.fork(s.parent)
        s.refuses(child, BASE, None, Outcome.SEGV_MAPERR)
        s.holds(child, BASE + P, bytes(6), "the child")
        s.holds(s.parent, BASE + P, b"page 1", "the parent")


@CHECKS
def a_fork_costs_what_it_says() -> None:
    with scene() as s:
        child = s.fork(s.parent)
        same((s.cost.pages_shared, s.cost.frames_copied, s.cost.eager_copies), (3, 0, 3), "cow")
        s.fork(child, "eager")
        same((s.cost.pages_shared, s.cost.frames_copied, s.cost.eager_copies), (0, 3, 3), "eager")


@CHECKS
def a_fork_that_finds_no_frame_leaves_nothing() -> None:
    """For a failure of each of its allocations."""
    for policy in POLICIES:
        for left in count():
            with scene() as s:
                backing = mapped_file(s, s.parent, s.file(b"file" * P), 2, at=FILE)
                s.load(s.parent, FILE)
                s.store(s.parent, FILE + P, b"private")
                assert backing.users
                s.frames.total = s.frames.touched + left
                try:
                    s.fork(s.parent, policy)
                    enough = True
                except OutOfMemory:
                    enough = False
                s.frames.total = s.ram.frame_count
                s.check()
                s.holds(s.parent, BASE, b"page 0", "the parent")
            if enough:
                break


@CHECKS
def a_copy_that_finds_no_frame_leaves_the_page_shared() -> None:
    with scene() as s:
        child = s.fork(s.parent)
        s.frames.total = s.frames.touched
        s.refuses(child, BASE, b"x", Outcome.OUT_OF_MEMORY)
        s.frames.total = s.ram.frame_count
        s.holds(child, BASE, b"page 0", "the child")
        s.store(child, BASE, b"child!")
        s.holds(s.parent, BASE, b"page 0", "the parent")


# What the frames are.


@CHECKS
def a_copy_is_not_code() -> None:
    with scene() as s:
        child = s.fork(s.parent)
        s.store(child, BASE, b"x")
        same(str(s.access(child, BASE, Access.FETCH)), "segv_accerr", "a fetch from the copy")


@CHECKS
def code_that_is_written_is_fetched_as_written() -> None:
    with scene(0) as s:
        anonymous(s.parent, 1, RW | RX)
        s.store(s.parent, BASE, b"11")
        child = s.fork(s.parent)
        same(s.fetch(child, BASE), b"11", "the child fetches")
        s.store(child, BASE, b"22")
        same(s.fetch(child, BASE), b"22", "the child fetches")
        same(s.fetch(s.parent, BASE), b"11", "the parent fetches")


@CHECKS
def the_copy_goes_to_the_one_who_stored() -> None:
    with scene() as s:
        child = s.fork(s.parent)
        before = ppn(s.parent.table.pte(BASE))
        s.store(child, BASE, b"x")
        same(ppn(s.parent.table.pte(BASE)), before, "the parent's frame after the child's store")
        assert ppn(child.table.pte(BASE)) != before, "the child kept the old frame"
        assert child.table.pte(BASE) & W and not s.parent.table.pte(BASE) & W


@CHECKS
def frames_are_used_again() -> None:
    with scene(0, frames=32) as s:
        frames: Frames = s.frames
        for _ in range(100):
            frames.release(frames.allocate(Kind.PRIVATE))
        s.check()


@CHECKS
def a_frame_that_two_ptes_give_up_at_once_is_free_once() -> None:
    with scene(0) as s:
        frame = s.frames.allocate(Kind.CACHE)  # a private frame is mapped once by a process
        s.frames.share(frame)
        s.frames.release_all(np.array([make_pte(frame, V), make_pte(frame, V)], np.uint64))
        s.check()
