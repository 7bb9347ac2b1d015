"""Details that a program does not notice when they are missing: the flags of a PTE after a fault,
the cost of a fork, an order, and the state after a step that failed in the middle.
"""

from __future__ import annotations

from itertools import count
from unittest.mock import patch

from emu.machine.cause import Access
from emu.machine.pte import FLAGS, PAGE_SHIFT, A, D, V, W, make_pte, ppn
from kernel.base.errors import OutOfMemory
from kernel.mm.address_space import AddressSpace
from kernel.mm.backing.shared_memory import SharedMemory
from kernel.mm.faults import fault
from kernel.mm.forking.fork import POLICIES
from kernel.mm.mappings.vma import Vma
from kernel.mm.outcome import Outcome
from kernel.mm.page_tables.leaf_tables import LEAF_SPAN
from kernel.mm.physical.frames import Kind
from kernel.process.observer import Observer
from tests.kernel.worlds import BASE, RW, anonymous, mapped_file
from tests.wrong.checks.check import Checks, same
from tests.wrong.checks.scene import FILE, P, Scene, scene


class LeavesAll:
    """A pager that leaves each fault to the kernel's handler."""

    def resolve(self, *_fault: object) -> None:
        return None


CHECKS = Checks("exact")
MANY_FREE = 16


def handled(space: AddressSpace, access: Access, outcome: Outcome) -> None:
    """A fault at BASE, on a page with A and D clear, sets them as the access needs."""
    pte = space.table.pte(BASE) & ~(A | D)
    space.table.set_pte(BASE, pte)
    found = fault.handle(space, BASE, access)
    same(str(found.outcome), str(outcome), "what the handler did")
    wanted = A | D if access is Access.STORE else A
    same(found.pte_after & (A | D) & wanted, wanted, f"A and D after a {access.name.lower()}")
    same(space.table.pte(BASE), found.pte_after, "the PTE in the table")


@CHECKS
def a_fault_on_a_page_that_is_there_sets_a_and_d() -> None:
    with scene(1) as s:
        handled(s.parent, Access.LOAD, Outcome.SPURIOUS)
        handled(s.parent, Access.STORE, Outcome.SPURIOUS)


@CHECKS
def a_page_that_is_taken_over_is_accessed_and_dirty() -> None:
    with scene(1) as s:
        s.exit(s.fork(s.parent))
        handled(s.parent, Access.STORE, Outcome.REUSED)


@CHECKS
def the_first_store_to_a_shared_page_sets_a_and_d() -> None:
    with scene(0) as s:
        mapped_file(s, s.parent, s.file(b"content"), 1, shared=True)
        s.load(s.parent, BASE)
        handled(s.parent, Access.STORE, Outcome.SHARED)


@CHECKS
def a_fork_counts_each_pte_that_it_writes() -> None:
    # Three PTEs of the child, and three of the parent that lose W; then none has W. With shared
    # tables one pointer replaces the child's. An eager fork clears no W.
    for policy, first, second in (("cow", 6, 3), ("shared-tables", 4, 1), ("eager", 3, 3)):
        with scene() as s:
            s.fork(s.parent, policy)
            same(s.cost.ptes_written, first, f"PTEs written by a fork with {policy}")
            s.fork(s.parent, policy)
            same(s.cost.ptes_written, second, f"PTEs written by the next with {policy}")


@CHECKS
def a_fork_counts_what_is_shared_and_what_is_copied() -> None:
    # Two private pages, one zero frame, one page of shared memory.
    # The child's faults find the latter.
    costs = {"cow": (3, 0, 0, 2), "eager": (1, 0, 2, 2), "shared-tables": (4, 1, 0, 2)}
    for policy, expected in costs.items():
        with scene(2) as s:
            s.parent.set_end(s.parent.vmas[0], BASE + 3 * P)
            s.load(s.parent, BASE + 2 * P)
            memory = SharedMemory(s.frames, 1)
            s.parent.add(Vma(BASE + 9 * P, BASE + 10 * P, RW, shared=True, backing=memory))
            s.store(s.parent, BASE + 9 * P, b"shared")
            s.fork(s.parent, policy)
            cost = s.cost
            found = cost.pages_shared, cost.tables_shared, cost.frames_copied, cost.eager_copies
            same(found, expected, f"shared, tables shared, copied, eager copies with {policy}")


@CHECKS
def a_child_has_accessed_no_page_unless_it_inherits_all() -> None:
    for inherits_all in (False, True):
        with scene(1) as s:
            s.parent.inherits_all = inherits_all
            child = s.fork(s.parent)
            same(bool(child.table.pte(BASE) & A), inherits_all, "the child has accessed its page")
            same(bool(s.parent.table.pte(BASE) & A), True, "the parent has accessed its page")


@CHECKS
def zeroes_are_not_resident() -> None:
    for policy in POLICIES:
        with scene(2) as s:
            s.parent.set_end(s.parent.vmas[0], BASE + 3 * P)
            s.load(s.parent, BASE + 2 * P)
            child = s.fork(s.parent, policy)
            same(child.resident_pages(), 2, f"resident pages of the child with {policy}")
            s.exit(s.parent)
            s.exit(child)
            same(child.peak_resident(), 2, f"the child's peak with {policy}")


@CHECKS
def a_child_has_what_its_parents_space_has() -> None:
    for policy in POLICIES:
        with scene() as s:
            parent, observer = s.parent, Observer()
            parent.observer = observer
            parent.pager = pager = LeavesAll()
            parent.brk_start, parent.brk = 0x2000_0000, 0x2000_0800
            parent.mmap_top, parent.stack_limit = 0x7000_0000, 0x12_3000
            parent.asks_for_barriers = parent.locks_new = True
            parent.mark(BASE, BASE + P, locked=True)
            child = s.fork(parent, policy)
            same(child.observer is observer, True, "the child has its parent's observer")
            same(child.pager is pager, True, "the child's faults have its parent's handler")
            same((child.brk_start, child.brk), (0x2000_0000, 0x2000_0800), "the child's heap")
            same((child.mmap_top, child.stack_limit), (0x7000_0000, 0x12_3000), "its limits")
            same(child.asks_for_barriers, True, "it is registered for membarrier")
            same(child.locks_new, False, "what it maps is locked")
            same([vma.locked for vma in child.vmas], [False] * len(child.vmas), "it is locked")


@CHECKS
def a_long_range_with_few_tables_is_gone_through_to_its_last() -> None:
    with scene(0) as s:
        last = BASE + 39 * LEAF_SPAN
        vma = anonymous(s.parent, 40 * LEAF_SPAN >> PAGE_SHIFT)
        for at in (last, BASE, BASE + 20 * LEAF_SPAN):
            s.store(s.parent, at, b"page")
        same(s.parent.table.keys(vma.start, vma.end), sorted(_tables(s)), "the tables, in order")
        found = [va for va, _ in s.parent.table.pages(vma.start, vma.end)]
        same(found, [BASE, BASE + 20 * LEAF_SPAN, last], "the pages, in order")
        same(s.parent.table.keys(vma.start, last), sorted(_tables(s))[:-1], "those before the last")
        s.parent.unmap(vma.start, vma.end)
        s.check()
        same(s.parent.resident_pages(), 0, "pages left")


def _tables(s: Scene) -> list[int]:
    return [va // LEAF_SPAN for va in s.parent.table.leaf_tables()]


@CHECKS
def a_fault_that_finds_no_frame_takes_none() -> None:
    """For a failure of each of its allocations; the cache may have to release frames for it."""
    for access in (Access.LOAD, Access.STORE):
        for kind in ("anonymous", "shared", "private"):
            for left in count():
                with scene(0) as s:
                    if kind == "anonymous":
                        anonymous(s.parent, 1, at=FILE)
                    else:
                        shared = kind == "shared"
                        mapped_file(s, s.parent, s.file(b"file"), 1, at=FILE, shared=shared)
                    s.frames.total = s.frames.touched + left
                    before = s.frames.used - s.parent.table.table_count
                    outcome = fault.handle(s.parent, FILE, access).outcome
                    s.check()
                    if outcome is Outcome.OUT_OF_MEMORY:
                        while s.cache.reclaim():
                            pass
                        used = s.frames.used - s.parent.table.table_count
                        same(used, before, "frames in use except tables")
                    s.frames.total = s.ram.frame_count
                if outcome is not Outcome.OUT_OF_MEMORY:
                    break


@CHECKS
def allocations_are_counted_from_when_one_is_to_fail() -> None:
    with scene() as s:
        s.frames.start_counting(fail_at=2)
        s.frames.release(s.frames.allocate(Kind.PRIVATE))
        try:
            s.frames.allocate(Kind.PRIVATE)
        except OutOfMemory:
            same(s.frames.made_to_fail, True, "it was made to fail")
        else:
            raise AssertionError("the second allocation succeeds")
        s.frames.start_counting()
        for _ in range(3):
            s.frames.release(s.frames.allocate(Kind.PRIVATE))
        same(s.frames.allocations, 3, "allocations since")


@CHECKS
def the_host_gets_each_frame_back_once() -> None:
    """Each time this many frames are free that it does not have, whatever it had before."""
    many = patch.multiple("kernel.mm.physical.frames", _MANY_FREE=MANY_FREE, _LEAST_TRIMMED=2)
    with many, scene(0) as s:
        taken = [s.frames.allocate(Kind.PRIVATE) for _ in range(4 * MANY_FREE)]
        given: list[tuple[int, int]] = []
        s.ram.discard = lambda ppn, count: given.append((ppn, count))  # type: ignore[method-assign]
        for turn in range(4):
            s.frames.release_each(taken[turn * MANY_FREE : (turn + 1) * MANY_FREE])
            same(given[turn:], [(taken[0], (turn + 1) * MANY_FREE)], "what the host got")
        again = [s.frames.allocate(Kind.PRIVATE) for _ in range(2 * MANY_FREE)]
        s.frames.release_each(again)
        same(given[4:], [(taken[0], 4 * MANY_FREE)], "what it got of frames that were used again")


@CHECKS
def a_walk_shows_what_a_translation_reads() -> None:
    with scene(1) as s:
        s.load(s.parent, BASE)
        root = s.cpu.mmu.walk(BASE)[0]
        middle = ppn(root.pte or 0)
        for bit in (W, A, D, 1 << 4, *(1 << bit for bit in range(54, 64))):
            s.ram.store64(root.address, make_pte(middle, V | bit))
            same(len(s.cpu.mmu.walk(BASE)), 1, f"entries read where a pointer has {bit:#x}")
        s.ram.store64(root.address, make_pte(middle, V))
        same([step.level for step in s.cpu.mmu.walk(BASE)], [2, 1, 0], "levels of a whole walk")
        same((s.cpu.mmu.walk(BASE)[-1].pte or 0) & FLAGS & V, V, "the leaf")
