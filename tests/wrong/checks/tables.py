"""Leaf tables that processes share: contents for each after a change by one of them."""

from __future__ import annotations

from itertools import count

from emu.machine.cause import Access
from kernel.base.errors import OutOfMemory
from kernel.mm.backing.shared_memory import SharedMemory
from kernel.mm.faults import fault
from kernel.mm.mappings.vma import Prot, Vma
from kernel.mm.outcome import Outcome
from kernel.mm.page_tables.leaf_tables import LEAF_SPAN
from tests.kernel.worlds import BASE, RW, Caller, anonymous, mapped_file
from tests.wrong.checks.check import Checks, same
from tests.wrong.checks.scene import FILE, P, scene

CHECKS = Checks("tables")
SHARED = "shared-tables"
MADV_DONTNEED = 4
NEXT = BASE + LEAF_SPAN


@CHECKS
def a_fork_shares_its_tables_and_says_so() -> None:
    with scene() as s:
        s.load(s.parent, BASE)
        child = s.fork(s.parent, SHARED)
        same((s.cost.tables_shared, s.cost.pages_shared, s.cost.eager_copies), (1, 3, 3), "cost")
        same(child.table.leaf_tables(), s.parent.table.leaf_tables(), "the child's tables")


@CHECKS
def a_store_in_a_shared_table_copies_it_once() -> None:
    with scene() as s:
        child = s.fork(s.parent, SHARED)
        for page, copied in ((0, True), (1, False)):
            resolution = fault.handle(child, BASE + page * P, Access.STORE)
            s.check()
            same(str(resolution.outcome), "copied", "what the handler did")
            same((resolution.table_copied, resolution.count_before), (copied, 2), "copied, count")
        s.holds(s.parent, BASE, b"page 0", "the parent")
        s.store(s.parent, BASE, b"parent")
        s.holds(child, BASE, b"page 0", "the child")


@CHECKS
def a_page_that_one_gets_is_not_the_others() -> None:
    with scene() as s:
        s.parent.set_end(s.parent.vmas[0], BASE + 9 * P)
        child = s.fork(s.parent, SHARED)
        s.store(child, BASE + 5 * P, b"child!")
        s.holds(s.parent, BASE + 5 * P, bytes(6), "the parent")


@CHECKS
def the_last_holder_of_a_table_copies_nothing() -> None:
    with scene() as s:
        child = s.fork(s.parent, SHARED)
        s.exit(s.parent)
        s.check()
        used = s.frames.used
        resolution = fault.handle(child, BASE, Access.STORE)
        same((str(resolution.outcome), resolution.table_copied), ("reused", False), "it did")
        same(s.frames.used, used, "frames in use")
        child.unmap(BASE, BASE + P)
        s.check()
        s.holds(child, BASE + P, b"page 1", "the child")


@CHECKS
def the_last_holder_of_a_table_gives_its_pages_back() -> None:
    with scene() as s:
        child = s.fork(s.parent, SHARED)
        s.exit(s.parent)
        child.unmap(BASE, BASE + 3 * P)
        s.check()


@CHECKS
def shared_memory_in_a_shared_table_needs_no_fault() -> None:
    with scene(0) as s:
        memory = SharedMemory(s.frames, 1)
        s.parent.add(Vma(BASE, BASE + P, RW, shared=True, backing=memory))
        s.store(s.parent, BASE, b"before")
        child = s.fork(s.parent, SHARED)
        s.did(Outcome.SHARED)
        s.store(child, BASE, b"child!")
        s.did()
        s.holds(s.parent, BASE, b"child!", "the parent")


@CHECKS
def a_shared_table_that_is_unmapped_stays_the_others() -> None:
    with scene() as s:
        child = s.fork(s.parent, SHARED)
        s.holds(child, BASE, b"page 0", "the child")
        child.unmap(BASE, BASE + 3 * P)
        s.check()
        s.refuses(child, BASE, None, Outcome.SEGV_MAPERR)
        s.holds(s.parent, BASE, b"page 0", "the parent")
        anonymous(child, 1)
        s.store(child, BASE, b"new")
        s.holds(s.parent, BASE, b"page 0", "the parent")


@CHECKS
def a_munmap_that_finds_no_frame_takes_nothing() -> None:
    """It releases one table, and must copy the other."""
    with scene(0) as s:
        anonymous(s.parent, 8, at=NEXT - 4 * P)
        for page in (-1, 0, 1):
            s.store(s.parent, NEXT + page * P, b"page")
        child = s.fork(s.parent, SHARED)
        s.frames.total = s.frames.touched
        try:
            child.unmap(NEXT - P, NEXT + P)
        except OutOfMemory:
            s.frames.total = s.ram.frame_count
        else:
            raise AssertionError("a table was copied to no frame")
        s.check()
        s.holds(child, NEXT - P, b"page", "the child")
        child.unmap(NEXT - P, NEXT + P)
        s.check()
        s.holds(child, NEXT + P, b"page", "the child")
        s.holds(s.parent, NEXT - P, b"page", "the parent")


@CHECKS
def a_part_of_a_shared_table_that_is_unmapped_leaves_the_rest() -> None:
    for page in (0, 2):
        with scene() as s:
            child = s.fork(s.parent, SHARED)
            child.unmap(BASE + page * P, BASE + page * P + P)
            s.check()
            s.holds(child, BASE + P, b"page 1", "the child")
            s.holds(child, BASE + (2 - page) * P, b"page %d" % (2 - page), "the child")
            s.refuses(child, BASE + page * P, None, Outcome.SEGV_MAPERR)
            s.holds(s.parent, BASE + page * P, b"page %d" % page, "the parent")


@CHECKS
def mprotect_in_a_shared_table_is_of_one_process() -> None:
    with scene() as s:
        child = s.fork(s.parent, SHARED)
        child.protect(BASE, BASE + P, Prot.READ)
        s.check()
        s.refuses(child, BASE, b"x", Outcome.SEGV_ACCERR)
        s.store(s.parent, BASE, b"parent")
        s.holds(child, BASE, b"page 0", "the child")


@CHECKS
def pages_move_between_shared_tables() -> None:
    with scene() as s:
        mapped_file(s, s.parent, s.file(b"file"), 1, at=FILE)
        s.load(s.parent, FILE)
        child = s.fork(s.parent, SHARED)
        vma = child.isolate(BASE, BASE + 3 * P)
        assert vma is not None
        child.move(vma, FILE + 9 * P)
        s.check()
        s.holds(child, FILE + 10 * P, b"page 1", "the child")
        s.refuses(s.parent, FILE + 10 * P, None, Outcome.SEGV_MAPERR)
        s.holds(s.parent, BASE + P, b"page 1", "the parent")


@CHECKS
def a_move_that_finds_no_frame_moves_nothing() -> None:
    """For a failure of each of its allocations."""
    to = NEXT + 2 * LEAF_SPAN + P
    for policy in ("cow", SHARED):
        for left in count():
            with scene(0) as s:
                anonymous(s.parent, 8, at=NEXT - 4 * P)
                s.store(s.parent, NEXT - P, b"lower!")
                s.store(s.parent, NEXT, b"upper!")
                child = s.fork(s.parent, policy)
                vma = child.isolate(NEXT - 4 * P, NEXT + 4 * P)
                assert vma is not None
                s.frames.total = s.frames.touched + left
                try:
                    child.move(vma, to)
                    enough, at = True, to + 4 * P
                except OutOfMemory:
                    enough, at = False, NEXT
                s.frames.total = s.ram.frame_count
                s.check()
                s.holds(child, at - P, b"lower!", "the child")
                s.holds(child, at, b"upper!", "the child")
            if enough:
                break


@CHECKS
def advice_holds_in_shared_tables() -> None:
    for page in range(2):
        with scene() as s:
            child = s.fork(s.parent, SHARED)
            field = ("dont_fork", "wipe_on_fork")[page]
            child.mark(BASE + page * P, BASE + page * P + P, **{field: True})
            grandchild = s.fork(child, SHARED)
            if page:
                s.holds(grandchild, BASE + P, bytes(6), "the grandchild")
            else:
                s.refuses(grandchild, BASE, None, Outcome.SEGV_MAPERR)
            s.holds(grandchild, BASE + 2 * P, b"page 2", "the grandchild")
            s.store(grandchild, BASE + 2 * P, b"grand!")
            s.holds(child, BASE + 2 * P, b"page 2", "the child")
            s.holds(s.parent, BASE + page * P, b"page %d" % page, "the parent")


@CHECKS
def those_who_share_a_table_may_end_in_any_order() -> None:
    for last in range(3):
        with scene() as s:
            child = s.fork(s.parent, SHARED)
            spaces = [s.parent, child, s.fork(child, SHARED)]
            for number in (0, 1, 2):
                if number != last:
                    s.exit(spaces[number])
                    s.check()
            s.holds(spaces[last], BASE, b"page 0", "the last")


@CHECKS
def a_table_that_finds_no_frame_for_its_copy_stays_shared() -> None:
    with scene() as s:
        child = s.fork(s.parent, SHARED)
        s.frames.total = s.frames.touched
        s.refuses(child, BASE, b"x", Outcome.OUT_OF_MEMORY)
        s.frames.total = s.ram.frame_count
        s.store(child, BASE, b"child!")
        s.holds(s.parent, BASE, b"page 0", "the parent")


@CHECKS
def a_range_of_two_mappings_is_discarded_whole_or_not_at_all() -> None:
    """For a failure of each of its allocations."""
    for left in count():
        with scene(0) as s:
            anonymous(s.parent, 8, at=NEXT - 8 * P)
            anonymous(s.parent, 8, Prot.READ | Prot.WRITE | Prot.EXEC, at=NEXT)
            for page in (-8, -1, 0, 7):
                s.store(s.parent, NEXT + page * P, b"before")
            child = s.fork(s.parent, SHARED)
            caller = Caller(s, child)
            s.frames.total = s.frames.touched + left
            try:
                caller.madvise(NEXT - 4 * P, 8 * P, MADV_DONTNEED)
                expected = bytes(6)
            except OutOfMemory:
                expected = b"before"
            s.frames.total = s.ram.frame_count
            s.check()
            s.holds(child, NEXT - P, expected, "the child")
            s.holds(child, NEXT, expected, "the child")
            s.holds(s.parent, NEXT, b"before", "the parent")
        if expected == bytes(6):
            break
