"""Huge pages: what a change of a part of one, a move and a collapse do to it."""

from __future__ import annotations

from dataclasses import replace

from emu.machine.pte import HUGE_FRAMES, HUGE_SIZE, A
from kernel.base.errno import EINVAL, ENOMEM
from kernel.mm.mappings.huge_policy import Thp
from kernel.mm.mappings.vma import Prot
from kernel.mm.outcome import Outcome
from kernel.mm.physical.frames import Kind
from kernel.mm.usage.clear_refs import clear_refs
from tests.kernel.worlds import BASE, RW, Caller, anonymous
from tests.wrong.checks.check import Checks, same
from tests.wrong.checks.huge_scene import (
    ACCESSED,
    ALWAYS,
    COLLAPSE,
    DONTNEED,
    HUGEPAGE,
    LAST,
    NOHUGEPAGE,
    SOFT_DIRTY,
    huge_scene,
    intact,
    other_memory,
)
from tests.wrong.checks.scene import P, refused, scene

CHECKS = Checks("huge parts")


@CHECKS
def what_is_done_to_a_part_is_not_done_to_the_rest() -> None:
    for part in (BASE + 4 * P, LAST - P):
        with scene(0, 4 * HUGE_FRAMES) as s:
            parent = huge_scene(s)
            s.store(parent, part, b"part")
            call, used = Caller(s, parent), s.frames.used
            call.mprotect(part, P, Prot.READ)
            s.check()
            s.refuses(parent, part, b"x", Outcome.SEGV_ACCERR)
            s.outcomes.clear()
            s.store(parent, part + P, b"" if part + P == LAST else b"y")
            s.store(parent, BASE, b"first")
            s.did()
            call.mprotect(part, P, RW)
            s.holds(parent, part, b"part", "the program")
            call.madvise(part, P, DONTNEED)
            s.check()
            same(used - s.frames.used, 1, "frames released")
            same(parent.resident_pages(), HUGE_FRAMES - 1, "pages resident")
            s.holds(parent, part, bytes(4), "the program")
            intact(s, parent, "the program")
            call.munmap(part, P)
            s.check()
            s.refuses(parent, part, None, Outcome.SEGV_MAPERR)
            intact(s, parent, "the program")


@CHECKS
def a_discard_of_all_of_it_releases_also_the_table_for_a_split() -> None:
    with scene(0, 3 * HUGE_FRAMES) as s:
        parent = huge_scene(s)
        used = s.frames.used
        Caller(s, parent).madvise(BASE, HUGE_SIZE, DONTNEED)
        same(used - s.frames.used, HUGE_FRAMES + 1, "frames released")


@CHECKS
def a_discard_of_an_end_leaves_the_rest() -> None:
    for part, other_end in ((BASE, LAST), (LAST, BASE)):
        with scene(0, 4 * HUGE_FRAMES) as s:
            parent = huge_scene(s)
            used = s.frames.used
            Caller(s, parent).madvise(part, P, DONTNEED)
            s.check()
            same(used - s.frames.used, 1, "frames released")
            s.holds(parent, part, bytes(4), "the program")
            s.holds(parent, other_end, b"first" if other_end == BASE else b"last", "the program")


@CHECKS
def the_parts_of_a_shared_one_are_shared() -> None:
    with scene(0, 4 * HUGE_FRAMES) as s:
        parent = huge_scene(s)
        child = s.fork(parent)
        call = Caller(s, child)
        call.mprotect(BASE + 4 * P, P, Prot.READ)
        s.check()
        call.mprotect(BASE, HUGE_SIZE, RW)
        s.check()
        s.store(child, BASE, b"FIRST")
        s.store(child, LAST, b"LAST")
        intact(s, parent, "the parent")


@CHECKS
def what_is_done_to_all_of_it_keeps_it() -> None:
    with scene(0, 4 * HUGE_FRAMES) as s:
        parent = huge_scene(s)
        call = Caller(s, parent)
        call.mprotect(BASE, HUGE_SIZE, Prot.READ)
        s.check()
        s.refuses(parent, BASE, b"x", Outcome.SEGV_ACCERR)
        child = s.fork(parent)
        call.mprotect(BASE, HUGE_SIZE, RW)
        s.check()
        same(parent.table.is_huge(BASE), True, "whole")
        s.store(parent, BASE, b"FIRST")
        s.holds(child, BASE, b"first", "the child")
        used = s.frames.used
        Caller(s, child).madvise(BASE, HUGE_SIZE, DONTNEED)
        s.check()
        s.holds(child, BASE, bytes(5), "the child")
        same(child.resident_pages(), 0, "pages of the child")
        same(used - s.frames.used <= 1, True, "the parent keeps its frames")


@CHECKS
def rights_after_a_fork_cost_one_fault_until_it_is_stored_to() -> None:
    with scene(0, 4 * HUGE_FRAMES) as s:
        parent = huge_scene(s)
        s.fork(parent).leave()
        call = Caller(s, parent)
        for faults in ([Outcome.REUSED], []):
            s.outcomes.clear()
            for prot in (Prot.READ, RW):
                call.mprotect(BASE, HUGE_SIZE, prot)
            for page in (BASE, BASE + 9 * P, LAST):
                s.store(parent, page, b"x")
            s.did(*faults)
        s.fork(parent).leave()
        call.munmap(BASE, HUGE_SIZE)
        anonymous(parent, HUGE_FRAMES)
        s.store(parent, BASE, b"x")
        s.outcomes.clear()
        for prot in (Prot.READ, RW):
            call.mprotect(BASE, HUGE_SIZE, prot)
        s.store(parent, BASE, b"x")
        s.did()


@CHECKS
def the_rights_of_zeroes_and_of_one_that_is_shared() -> None:
    with scene(0, 4 * HUGE_FRAMES) as s:
        s.parent.set_huge_pages(ALWAYS)
        anonymous(s.parent, HUGE_FRAMES, Prot.READ)
        s.load(s.parent, BASE)
        Caller(s, s.parent).mprotect(BASE, HUGE_SIZE, RW)
        s.check()
        s.store(s.parent, BASE, b"x")
        s.holds(s.parent, BASE + P, bytes(5), "the program")


@CHECKS
def a_split_needs_no_frame() -> None:
    with scene(0, 3 * HUGE_FRAMES) as s:
        huge_scene(s)
        tables = s.parent.table.table_count
        s.frames.start_counting()
        s.parent.table.split(BASE)
        same(s.frames.allocations, 0, "allocations")
        same(s.parent.table.table_count, tables, "tables")
        intact(s, s.parent, "the program")


@CHECKS
def a_move_keeps_it_only_if_it_remains_aligned() -> None:
    for offset, shrunk in ((0, 0), (P, 0), (0, P)):
        with scene(0, 4 * HUGE_FRAMES) as s:
            parent = huge_scene(s)
            to = BASE + 4 * HUGE_SIZE + offset
            Caller(s, parent).mremap(BASE, HUGE_SIZE, HUGE_SIZE - shrunk, 3, to)
            s.check()
            same(parent.table.is_huge(to), not offset and not shrunk, "whole")
            s.holds(parent, to, b"first", "the program")
            if not shrunk:
                s.holds(parent, to + HUGE_SIZE - P, b"last", "the program")
            s.refuses(parent, BASE, None, Outcome.SEGV_MAPERR)


@CHECKS
def a_collapse_gathers_all_pages() -> None:
    with scene(0, 4 * HUGE_FRAMES) as s:
        parent = huge_scene(s, policy=replace(ALWAYS, mode=Thp.NEVER))
        s.load(parent, BASE + 9 * P)
        child = s.fork(parent)
        used = s.frames.used
        call = Caller(s, child)
        call.madvise(BASE, HUGE_SIZE, COLLAPSE)
        s.check()
        same(child.table.is_huge(BASE), True, "mapped by a huge page")
        same(s.frames.used - used, HUGE_FRAMES, "further frames")
        same(child.peak_resident(), HUGE_FRAMES, "pages at the peak")
        intact(s, child, "the child")
        s.store(child, BASE, b"FIRST")
        s.store(child, LAST, b"LAST")
        intact(s, parent, "the parent")
        s.frames.start_counting()
        call.madvise(BASE, HUGE_SIZE, COLLAPSE)
        same(s.frames.allocations, 0, "allocations for what is a huge page")


@CHECKS
def a_collapse_releases_the_pages() -> None:
    with scene(0, 4 * HUGE_FRAMES) as s:
        parent = huge_scene(s, policy=replace(ALWAYS, mode=Thp.NEVER))
        used = s.frames.used
        Caller(s, parent).madvise(BASE, HUGE_SIZE, COLLAPSE)
        same(s.frames.used - used, HUGE_FRAMES - 2, "further frames")


@CHECKS
def a_collapse_that_is_not_possible_says_so() -> None:
    with scene(0, 2 * HUGE_FRAMES) as s:
        parent = huge_scene(s, 2, replace(ALWAYS, mode=Thp.NEVER))
        call = Caller(s, parent)
        with refused(EINVAL):
            call.madvise(BASE + HUGE_SIZE, HUGE_SIZE, COLLAPSE)
        call.madvise(BASE, HUGE_SIZE, NOHUGEPAGE)
        with refused(EINVAL):
            call.madvise(BASE, HUGE_SIZE, COLLAPSE)
        call.madvise(BASE, HUGE_SIZE, HUGEPAGE)
        other_memory(s)
        with refused(ENOMEM):
            call.madvise(BASE, HUGE_SIZE, COLLAPSE)
        s.check()
        intact(s, parent, "the program")


@CHECKS
def what_clear_refs_forgets() -> None:
    with scene(0, 4 * HUGE_FRAMES) as s:
        parent = huge_scene(s)
        clear_refs(parent, ACCESSED)
        same(parent.table.pte(BASE) & A, 0, "the A bit after clear_refs")
        s.load(parent, BASE)
        clear_refs(parent, SOFT_DIRTY)
        s.outcomes.clear()
        s.load(parent, BASE)
        s.did()
        s.store(parent, BASE + 3 * P, b"x")
        s.did(Outcome.REUSED)
        same(parent.table.is_huge(BASE), True, "whole")
        intact(s, parent, "the program")


@CHECKS
def frames_of_runs_are_given_back_for_other_uses() -> None:
    with scene(0, 2 * HUGE_FRAMES) as s:
        run = s.frames.allocate_run(Kind.PRIVATE)
        same(run % HUGE_FRAMES, 0, "the run is aligned")
        s.frames.share_run(run)
        s.frames.release_run(run)
        same({s.frames.count(run + n) for n in range(HUGE_FRAMES)}, {1}, "counts")
        s.frames.share(run + 7)
        same(s.frames.is_run_unshared(run), False, "unshared")
        s.frames.release_run(run)
        same(s.frames.count(run + 7), 1, "the count of a frame with another user")
        s.frames.release(run + 7)
        same(s.frames.used, len(s.parent.table.frames()) + 1, "frames used")
        again = s.frames.allocate_run(Kind.PRIVATE)
        same(again, run, "the run found again")
        s.frames.release_run(again)
