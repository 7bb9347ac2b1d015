"""Huge pages: which are mapped, and what fork and stores copy of them."""

from __future__ import annotations

from dataclasses import replace

from emu.machine.cause import Access
from emu.machine.pte import HUGE_FRAMES, HUGE_SIZE, A, D, W, ppn
from kernel.base.errno import EINVAL
from kernel.mm.faults import fault
from kernel.mm.forking.fork import POLICIES
from kernel.mm.mappings.huge_policy import Thp, ThpCow
from kernel.mm.outcome import Outcome
from kernel.mm.physical.huge_zero_page import drop_huge_zero
from tests.kernel.worlds import BASE, Caller, anonymous
from tests.wrong.checks.check import Checks, same
from tests.wrong.checks.huge_scene import (
    ALWAYS,
    COLLAPSE,
    DONTNEED,
    HUGEPAGE,
    LAST,
    NOHUGEPAGE,
    huge_scene,
    intact,
    other_memory,
)
from tests.wrong.checks.scene import P, refused, scene

CHECKS = Checks("huge")


@CHECKS
def one_store_maps_two_mebibytes_of_zeroes() -> None:
    with scene(0, 3 * HUGE_FRAMES) as s:
        s.exit(other_memory(s))
        huge_scene(s)
        s.did(Outcome.ZERO_FILLED)
        s.holds(s.parent, BASE + 5 * P, bytes(5), "the program")
        same(s.parent.resident_pages(), HUGE_FRAMES, "pages resident")
        same(s.parent.peak_resident(), HUGE_FRAMES, "pages at the peak")


@CHECKS
def without_a_run_one_page_is_mapped() -> None:
    with scene(0, HUGE_FRAMES) as s:
        s.parent.set_huge_pages(ALWAYS)
        anonymous(s.parent, 2 * HUGE_FRAMES)
        for at, access in ((BASE, Access.STORE), (BASE + HUGE_SIZE, Access.LOAD)):
            while not s.frames.may_have_run():
                pass
            fault.handle(s.parent, at, access)
            s.check()
        same(len(s.parent.table.present()), 2, "pages present")


@CHECKS
def it_lies_within_its_mapping() -> None:
    for start, pages in ((BASE, HUGE_FRAMES - 1), (BASE + P, HUGE_FRAMES - 1)):
        with scene(0, 3 * HUGE_FRAMES) as s:
            s.parent.set_huge_pages(ALWAYS)
            anonymous(s.parent, pages, at=start)
            s.store(s.parent, start, b"x")
            same(s.parent.resident_pages(), 1, "pages of a mapping of less than 2 MiB")


@CHECKS
def a_page_that_is_there_is_not_replaced() -> None:
    with scene(3, 3 * HUGE_FRAMES) as s:
        s.parent.set_huge_pages(ALWAYS)
        anonymous(s.parent, HUGE_FRAMES - 3, at=BASE + 3 * P)
        s.store(s.parent, BASE + 9 * P, b"x")
        s.holds(s.parent, BASE + 2 * P, b"page 2", "the program")


@CHECKS
def advice_is_followed() -> None:
    for advice, mode, expected in (
        (NOHUGEPAGE, Thp.ALWAYS, False),
        (HUGEPAGE, Thp.MADVISE, True),
        (HUGEPAGE, Thp.NEVER, False),
        (None, Thp.MADVISE, False),
    ):
        with scene(0, 3 * HUGE_FRAMES) as s:
            s.parent.set_huge_pages(replace(ALWAYS, mode=mode))
            anonymous(s.parent, HUGE_FRAMES)
            anonymous(s.parent, HUGE_FRAMES, at=BASE + 4 * HUGE_SIZE)
            call = Caller(s, s.parent)
            call.madvise(BASE + 4 * HUGE_SIZE, HUGE_SIZE, HUGEPAGE)
            if advice is not None:
                call.madvise(BASE, HUGE_SIZE, advice)
            s.store(s.parent, BASE, b"x")
            same(s.parent.table.is_huge(BASE), expected, f"huge after advice {advice}, {mode}")


@CHECKS
def no_process_gets_huge_pages_that_are_disabled() -> None:
    with scene(0, 3 * HUGE_FRAMES) as s:
        s.parent.set_huge_pages(replace(ALWAYS, disabled=True))
        child = s.fork(s.parent)
        for space in (s.parent, child):
            anonymous(space, HUGE_FRAMES)
            s.store(space, BASE, b"x")
            same(space.table.is_huge(BASE), False, "mapped by a huge page")
            with refused(EINVAL):
                Caller(s, space).madvise(BASE, HUGE_SIZE, COLLAPSE)


@CHECKS
def reads_share_a_huge_page_of_zeroes() -> None:
    with scene(0, 5 * HUGE_FRAMES) as s:
        s.parent.set_huge_pages(ALWAYS)
        anonymous(s.parent, HUGE_FRAMES)
        s.load(s.parent, BASE + 5 * P)
        s.did(Outcome.ZERO_SHARED)
        child = s.fork(s.parent)
        for space in (s.parent, child):
            same((space.resident_pages(), space.peak_resident()), (0, 0), "pages of zeroes")
        s.load(s.parent, BASE + 7 * P)
        s.store(s.parent, BASE + 7 * P, b"mine")
        s.store(s.parent, BASE + 5 * P, b"own")
        s.holds(s.parent, BASE + 5 * P, b"own", "the program")
        s.holds(child, BASE + 7 * P, bytes(4), "the child")
        same(s.parent.peak_resident(), HUGE_FRAMES, "pages at the peak after a store")


@CHECKS
def zeroes_that_are_unmapped_change_no_size() -> None:
    with scene(0, 4 * HUGE_FRAMES) as s:
        parent = huge_scene(s, 3)
        s.load(parent, BASE + HUGE_SIZE)
        Caller(s, parent).madvise(BASE + HUGE_SIZE, HUGE_SIZE, DONTNEED)
        s.store(parent, BASE + 2 * HUGE_SIZE, b"x")
        same(parent.peak_resident(), 2 * HUGE_FRAMES, "pages at the peak")


@CHECKS
def the_tlb_forgets_the_zeroes_that_a_store_replaces() -> None:
    for runs in (2, 1):
        with scene(0, (runs + 1) * HUGE_FRAMES) as s:
            s.parent.set_huge_pages(ALWAYS)
            anonymous(s.parent, HUGE_FRAMES)
            s.load(s.parent, BASE + 5 * P)
            s.store(s.parent, BASE + 7 * P, b"mine")
            if runs == 1:
                same(s.parent.table.is_huge(BASE), False, "mapped by a huge page without a run")
                same(drop_huge_zero(s.frames), True, "nobody uses the zeroes")
                other_memory(s)
                s.holds(s.parent, BASE + 5 * P, bytes(5), "the program")
            else:
                s.kernel_writes(s.parent, BASE + 5 * P, b"by read(2)")
                s.holds(s.parent, BASE + 5 * P, b"by read(2)", "the program")


@CHECKS
def the_tlb_forgets_the_zeroes_that_advice_splits() -> None:
    with scene(0, 2 * HUGE_FRAMES) as s:
        s.parent.set_huge_pages(ALWAYS)
        anonymous(s.parent, HUGE_FRAMES)
        s.load(s.parent, BASE + 5 * P)
        Caller(s, s.parent).madvise(BASE, P, NOHUGEPAGE)
        same(drop_huge_zero(s.frames), True, "nobody uses the zeroes")
        other_memory(s)
        s.holds(s.parent, BASE + 5 * P, bytes(5), "the program")


@CHECKS
def fork_shares_it_and_a_store_copies_one_page() -> None:
    for policy in ("cow", "shared-tables"):
        for writer in ("child", "parent"):
            with scene(0, 4 * HUGE_FRAMES) as s:
                parent = huge_scene(s)
                child = s.fork(parent, policy)
                same(s.cost.frames_copied, 0, "frames that fork copied")
                same(s.cost.pages_shared, HUGE_FRAMES, "pages that fork shared")
                same(s.cost.eager_copies, HUGE_FRAMES, "copies that fork saved")
                one, other = (child, parent) if writer == "child" else (parent, child)
                used = s.frames.used
                s.outcomes.clear()
                s.store(one, BASE + 3 * P, b"its own")
                s.did(Outcome.COPIED)
                same(s.frames.used - used, 1, "frames that the store took")
                same(one.table.is_huge(BASE), False, "the writer's is split")
                same(other.table.is_huge(BASE), True, "the other one is whole")
                intact(s, other, "the other one")
                intact(s, one, "the writer")
                s.store(one, LAST, b"LAST")
                s.store(one, BASE, b"FIRST")
                intact(s, other, "the other one")


@CHECKS
def one_with_a_page_that_another_process_has_is_not_reused_whole() -> None:
    with scene(0, 4 * HUGE_FRAMES) as s:
        parent = huge_scene(s)
        child = s.fork(parent)
        s.store(child, BASE, b"FIRST")
        s.outcomes.clear()
        s.store(parent, BASE, b"first")
        s.store(parent, LAST, b"LAST")
        s.did(Outcome.COPIED, Outcome.COPIED)
        s.holds(child, LAST, b"last", "the child")
        s.exit(child)
        s.outcomes.clear()
        s.store(parent, BASE + 9 * P, b"again")
        s.did(Outcome.REUSED)


@CHECKS
def the_last_page_of_one_is_copied() -> None:
    with scene(0, 4 * HUGE_FRAMES) as s:
        parent = huge_scene(s)
        child = s.fork(parent)
        s.store(child, BASE + 9 * P, b"split")
        s.exit(child)
        call = Caller(s, parent)
        call.madvise(BASE + P, HUGE_SIZE - P, DONTNEED)
        s.exit(s.fork(parent))
        s.outcomes.clear()
        s.store(parent, BASE, b"FIRST")
        s.did(Outcome.COPIED)


@CHECKS
def a_frame_of_a_former_one_is_like_any_other() -> None:
    with scene(0, 2 * HUGE_FRAMES) as s:
        parent = huge_scene(s)
        Caller(s, parent).munmap(BASE, HUGE_SIZE)
        parent.set_huge_pages(replace(ALWAYS, mode=Thp.NEVER))
        anonymous(parent, HUGE_FRAMES)
        for page in range(BASE, BASE + HUGE_SIZE, P):
            s.kernel_writes(parent, page, b"small")
        last = BASE + HUGE_SIZE - P  # frames of the former huge page are taken after all others
        s.store(s.fork(parent), last, b"child")
        s.outcomes.clear()
        s.store(parent, last, b"SMALL")
        s.did(Outcome.REUSED)


@CHECKS
def its_last_user_reuses_it_whole() -> None:
    with scene(0, 4 * HUGE_FRAMES) as s:
        parent = huge_scene(s)
        s.exit(s.fork(parent))
        s.outcomes.clear()
        parent.table.set_huge(BASE, parent.table.pte(BASE) & ~(A | D))
        found = fault.handle(parent, BASE + 9 * P, Access.STORE)
        same(str(found.outcome), str(Outcome.REUSED), "what the store did")
        same(found.pte_after & (A | D | W), A | D | W, "flags of the PTE")
        s.store(parent, BASE + 9 * P, bytes(5))
        s.store(parent, BASE, b"first")
        s.did()
        same(parent.table.is_huge(BASE), True, "whole")
        intact(s, parent, "the parent")


@CHECKS
def a_copy_of_it_all_is_one_only_if_asked_for() -> None:
    for copied in ThpCow:
        with scene(0, 4 * HUGE_FRAMES) as s:
            parent = huge_scene(s, policy=replace(ALWAYS, copied=copied))
            child = s.fork(parent)
            s.load(child, LAST)
            used = s.frames.used
            s.outcomes.clear()
            s.store(child, BASE, b"FIRST")
            s.did(Outcome.COPIED)
            number = HUGE_FRAMES if copied is ThpCow.HUGE else 1
            same(s.frames.used - used, number, "frames that the store took")
            s.holds(child, LAST, b"last", "the child")
            s.store(child, LAST, b"LAST")
            s.holds(child, BASE, b"FIRST", "the child")
            s.store(parent, LAST, b"Last")
            s.holds(child, LAST, b"LAST", "the child")
            s.holds(parent, BASE, b"first", "the parent")


@CHECKS
def after_a_copy_of_it_all_the_tlb_has_forgotten_the_old_pages() -> None:
    with scene(0, 4 * HUGE_FRAMES) as s:
        parent = huge_scene(s, policy=replace(ALWAYS, copied=ThpCow.HUGE))
        child = s.fork(parent)
        s.load(child, LAST)
        s.store(child, BASE, b"FIRST")
        s.kernel_writes(child, LAST, b"by read(2)")
        s.holds(child, LAST, b"by read(2)", "the child")
        intact(s, parent, "the parent")


@CHECKS
def an_eager_fork_copies_it_with_or_without_a_run() -> None:
    for is_there in (True, False):
        with scene(0, 3 * HUGE_FRAMES) as s:
            parent = huge_scene(s)
            if not is_there:
                other_memory(s).unmap(BASE, BASE + 100 * P)
                s.spaces[-1].unmap(BASE + 101 * P, BASE + HUGE_SIZE)
            child = s.fork(parent, "eager")
            same(s.cost.frames_copied, HUGE_FRAMES, "frames that fork copied")
            same(child.table.is_huge(BASE), is_there, "the child's is huge")
            s.outcomes.clear()
            s.store(child, LAST, b"LAST")
            s.store(child, BASE, b"FIRST")
            s.did()
            intact(s, parent, "the parent")
            s.holds(child, BASE + 9 * P, bytes(5), "the child")


@CHECKS
def a_zero_page_is_never_copied_by_fork() -> None:
    for policy in POLICIES:
        with scene(0, 3 * HUGE_FRAMES) as s:
            s.parent.set_huge_pages(ALWAYS)
            anonymous(s.parent, HUGE_FRAMES)
            s.load(s.parent, BASE)
            s.fork(s.parent, policy)
            same((s.cost.frames_copied, s.cost.eager_copies), (0, 0), f"copies by {policy}")


@CHECKS
def the_zeroes_are_released_once_they_are_not_mapped() -> None:
    with scene(0, 3 * HUGE_FRAMES) as s:
        s.parent.set_huge_pages(ALWAYS)
        anonymous(s.parent, HUGE_FRAMES)
        s.load(s.parent, BASE)
        same(drop_huge_zero(s.frames), False, "released while they are mapped")
        s.check()
        s.parent.unmap(BASE, BASE + HUGE_SIZE)
        used = s.frames.used
        same(drop_huge_zero(s.frames), True, "released when nobody maps them")
        same(used - s.frames.used, HUGE_FRAMES, "frames released")
        same(ppn(s.parent.table.pte(BASE)), 0, "the PTE")
