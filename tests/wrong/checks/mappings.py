"""Mappings: contents and rights of a page, before and after each change."""

from __future__ import annotations

import errno

from emu.machine.cause import Access
from kernel.mm.mappings.vma import Prot, Vma
from kernel.mm.outcome import Outcome
from kernel.mm.page_tables.leaf_tables import LEAF_SPAN
from tests.kernel.worlds import BASE, RW, Caller, anonymous
from tests.wrong.checks.check import Checks, same
from tests.wrong.checks.scene import FILE, P, Scene, refused, scene

CHECKS = Checks("mappings")
DONTNEED = 4
ANONYMOUS, FIXED = 0x22, 0x32


@CHECKS
def what_was_unmapped_is_gone() -> None:
    with scene() as s:
        s.parent.unmap(BASE, BASE + P)
        s.check()
        s.refuses(s.parent, BASE, None, Outcome.SEGV_MAPERR)
        s.holds(s.parent, BASE + P, b"page 1", "it")
    with scene() as s:
        child = s.fork(s.parent)
        s.load(child, BASE)
        child.unmap(BASE, BASE + 3 * P)
        s.refuses(child, BASE, None, Outcome.SEGV_MAPERR)
        s.holds(s.parent, BASE, b"page 0", "the parent")


@CHECKS
def a_right_that_mprotect_takes_is_gone() -> None:
    with scene() as s:
        s.store(s.parent, BASE, b"warm")
        s.parent.protect(BASE, BASE + P, Prot.READ)
        s.refuses(s.parent, BASE, b"x", Outcome.SEGV_ACCERR)
        s.check()
        s.parent.protect(BASE, BASE + P, Prot.NONE)
        s.refuses(s.parent, BASE, None, Outcome.SEGV_ACCERR)
        s.parent.protect(BASE, BASE + P, RW)
        s.holds(s.parent, BASE, b"warm", "it")


@CHECKS
def mprotect_gives_no_w_to_a_shared_frame() -> None:
    with scene() as s:
        s.parent.protect(BASE, BASE + P, Prot.READ)
        child = s.fork(s.parent)
        child.protect(BASE, BASE + P, RW)
        s.check()
        s.store(child, BASE, b"child!")
        s.holds(s.parent, BASE, b"page 0", "the parent")


@CHECKS
def rights_after_a_fork_cost_one_fault_for_each_page_until_it_is_stored_to() -> None:
    for pages in (3, 200):
        with scene(pages, 512) as s:
            s.fork(s.parent).leave()
            s.store(s.parent, BASE, b"mine")
            s.outcomes.clear()
            _give_rights_again(s, pages)
            s.did(*[Outcome.REUSED] * (pages - 1))
            _give_rights_again(s, pages)
            s.did()
            s.fork(s.parent).leave()
            s.parent.unmap(BASE, BASE + pages * P)
            anonymous(s.parent, pages)
            _store_to_each(s, pages)
            s.outcomes.clear()
            _give_rights_again(s, pages)
            s.did()


def _give_rights_again(s: Scene, pages: int) -> None:
    for prot in (Prot.READ, RW):
        s.parent.protect(BASE, BASE + pages * P, prot)
    _store_to_each(s, pages)


def _store_to_each(s: Scene, pages: int) -> None:
    for page in range(pages):
        s.store(s.parent, BASE + page * P, b"x")


@CHECKS
def mprotect_gives_no_w_to_the_zero_frame() -> None:
    with scene(0) as s:
        anonymous(s.parent, 1, Prot.READ)
        s.load(s.parent, BASE)
        s.parent.protect(BASE, BASE + P, RW)
        s.store(s.parent, BASE, b"x")


@CHECKS
def mprotect_changes_what_lies_below_a_hole() -> None:
    with scene() as s:
        s.parent.unmap(BASE + P, BASE + 2 * P)
        with refused(errno.ENOMEM):
            s.parent.protect(BASE, BASE + 3 * P, Prot.READ)
        s.check()
        s.refuses(s.parent, BASE, b"x", Outcome.SEGV_ACCERR)
        s.store(s.parent, BASE + 2 * P, b"x")


@CHECKS
def mprotect_needs_the_range_to_its_end() -> None:
    with scene() as s:
        with refused(errno.ENOMEM):
            s.parent.protect(BASE + P, BASE + 4 * P, Prot.READ)
        s.check()
        s.refuses(s.parent, BASE + 2 * P, b"x", Outcome.SEGV_ACCERR)
        s.store(s.parent, BASE, b"x")


@CHECKS
def a_fetch_needs_prot_exec() -> None:
    with scene() as s:
        same(str(s.access(s.parent, BASE, Access.FETCH)), "segv_accerr", "a fetch from data")


@CHECKS
def a_new_page_is_zeroes() -> None:
    with scene() as s:
        s.parent.unmap(BASE, BASE + 3 * P)
        anonymous(s.parent, 3)
        s.store(s.parent, BASE + 9, b"x")
        s.holds(s.parent, BASE, bytes(9) + b"x", "it")


@CHECKS
def a_page_that_is_not_needed_comes_back_as_zeroes() -> None:
    with scene() as s:
        child = s.fork(s.parent)
        Caller(s, child).madvise(BASE, P, DONTNEED)
        s.holds(child, BASE, bytes(6), "the child")
        s.holds(s.parent, BASE, b"page 0", "the parent")


@CHECKS
def what_is_moved_keeps_its_pages() -> None:
    with scene() as s:
        child = s.fork(s.parent)
        s.load(child, BASE)
        Caller(s, child).mremap(BASE, 3 * P, 3 * P, 3, FILE)
        s.check()
        s.holds(child, FILE + P, b"page 1", "the child")
        s.refuses(child, BASE, None, Outcome.SEGV_MAPERR)
        s.holds(s.parent, BASE + P, b"page 1", "the parent")
        s.store(child, FILE, b"child!")


@CHECKS
def what_is_moved_across_a_border_of_tables_keeps_its_pages() -> None:
    """From one leaf table to the last entry of another and the first ones of the next."""
    to = BASE + 4 * LEAF_SPAN - P
    with scene() as s:
        Caller(s, s.parent).mremap(BASE, 3 * P, 3 * P, 3, to)
        s.check()
        for page in range(3):
            s.holds(s.parent, to + page * P, b"page %d" % page, "it")


@CHECKS
def a_heap_that_shrank_grows_with_zeroes() -> None:
    with scene(0) as s:
        space, call = s.parent, Caller(s, s.parent)
        space.brk_start = space.brk = BASE
        call.brk(BASE + 3 * P)
        s.store(space, BASE + 2 * P, b"heap")
        call.brk(BASE + P)
        s.refuses(space, BASE + 2 * P, None, Outcome.SEGV_MAPERR)
        call.brk(BASE + 3 * P)
        s.holds(space, BASE + 2 * P, bytes(4), "it")


@CHECKS
def a_fixed_mapping_takes_the_place_of_what_was_there() -> None:
    with scene() as s:
        Caller(s, s.parent).mmap(BASE, P, 3, FIXED, -1, 0)
        s.check()
        s.holds(s.parent, BASE, bytes(6), "it")


@CHECKS
def a_hint_moves_no_mapping() -> None:
    with scene() as s:
        at = Caller(s, s.parent).mmap(BASE + P, P, 3, ANONYMOUS, -1, 0)
        s.check()
        assert not BASE <= at < BASE + 3 * P, f"mapped at {at:#x}, where something was"


# The stack.


@CHECKS
def the_stack_grows_to_its_limit() -> None:
    with scene(0, frames=256) as s:
        top = FILE + 512 * P
        s.parent.add(Vma(top - P, top, RW, grows_down=True))
        s.parent.stack_limit = 16 * P
        s.store(s.parent, top - 8 * P, b"deep")
        s.store(s.parent, top - 16 * P, b"deeper")
        s.refuses(s.parent, top - 17 * P, b"x", Outcome.SEGV_MAPERR)


@CHECKS
def the_stack_stops_before_what_lies_below() -> None:
    with scene(0) as s:
        top = FILE + 512 * P
        s.parent.add(Vma(top - P, top, RW, grows_down=True))
        anonymous(s.parent, 1, at=top - 260 * P)
        s.store(s.parent, top - 3 * P, b"x")
        s.refuses(s.parent, top - 100 * P, b"x", Outcome.SEGV_MAPERR)


@CHECKS
def a_stack_that_was_cut_is_filled_again() -> None:
    with scene(0) as s:
        s.parent.add(Vma(BASE, BASE + 8 * P, RW, grows_down=True))
        for page in range(8):
            s.store(s.parent, BASE + page * P, b"old %d" % page)
        for page in (4, 0):
            s.parent.unmap(BASE + page * P, BASE + page * P + P)
            s.check()
            s.store(s.parent, BASE + page * P + 8, b"new %d" % page)
            s.holds(s.parent, BASE + page * P, bytes(8) + b"new %d" % page, "it")
        s.holds(s.parent, BASE + 3 * P, b"old 3", "it")
