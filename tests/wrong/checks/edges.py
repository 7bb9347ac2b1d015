"""Ranges at their edges: the ends of stacks, gaps and tables, and the counts of mappings."""

from __future__ import annotations

import errno

from emu.machine.cause import Access
from emu.machine.pte import A, D, R, U, V, W
from kernel.base.budget import Kind
from kernel.mm.backing.shared_memory import SharedMemory
from kernel.mm.faults import fault
from kernel.mm.mappings.vma import LOWEST, MAX_VMAS, STACK_GUARD, USER_END, Prot, Vma
from kernel.mm.outcome import Outcome
from kernel.mm.page_tables.leaf_tables import LEAF_SPAN
from kernel.mm.resolution import Resolution
from tests.kernel.worlds import BASE, RW, anonymous, mapped_file, user_memory
from tests.wrong.checks.check import Checks, same
from tests.wrong.checks.scene import P, refused, scene

CHECKS = Checks("edges")


@CHECKS
def a_stack_grows_by_any_access_and_never_below_the_lowest_address() -> None:
    for access in (Access.LOAD, Access.STORE):
        with scene(0) as s:
            top = LOWEST + 16 * P
            s.parent.add(Vma(top - P, top, RW, grows_down=True))
            found = fault.handle(s.parent, top - 4 * P, access).outcome
            same(str(found), str(Outcome.STACK_GROWN), "what the handler did")
            same(s.parent.table.pte(top - 4 * P) & (W | D), W | D, "W and D of the new page")
            s.check()
            for page, outcome in ((LOWEST, Outcome.STACK_GROWN), (LOWEST - P, Outcome.SEGV_MAPERR)):
                found = fault.handle(s.parent, page, access).outcome
                same(str(found), str(outcome), f"what the handler did at {page:#x}")


@CHECKS
def a_stack_keeps_its_distance_to_the_page() -> None:
    for pages, outcome in ((-1, Outcome.SEGV_MAPERR), (0, Outcome.STACK_GROWN)):
        with scene(0) as s:
            anonymous(s.parent, 1)
            top = BASE + P + STACK_GUARD + 8 * P
            s.parent.add(Vma(top - P, top, RW, grows_down=True))
            found = fault.handle(s.parent, BASE + P + STACK_GUARD + pages * P, Access.STORE).outcome
            same(str(found), str(outcome), "what the handler did")


@CHECKS
def a_gap_is_found_above_the_lowest_address_and_below_a_stack() -> None:
    with scene(0) as s:
        space = s.parent
        space.mmap_top = LOWEST + 1000 * P
        space.add(Vma(LOWEST + 900 * P, LOWEST + 1000 * P, RW, grows_down=True))
        same(hex(space.find_gap(P)), hex(LOWEST + 899 * P - STACK_GUARD), "the gap below a stack")
        same(hex(space.find_gap(2 * P, P)), hex(LOWEST + 898 * P - STACK_GUARD), "a hint too low")
        most = 900 * P - STACK_GUARD
        same(hex(space.find_gap(most)), hex(LOWEST), "the largest gap")
        with refused(errno.ENOMEM):
            space.find_gap(most + P)
        space.mmap_top = LOWEST + 100 * P
        same(hex(space.find_gap(P)), hex(LOWEST + 99 * P), "a gap below the place for mappings")
        space.add(Vma(LOWEST + 50 * P, LOWEST + 99 * P, RW))
        same(hex(space.find_gap(2 * P)), hex(LOWEST + 48 * P), "a gap that is not cut off")


@CHECKS
def the_limit_of_mappings_allows_no_hole_and_sizes_follow_protection() -> None:
    with scene(0) as s:
        space = s.parent
        for page in range(MAX_VMAS):
            space.add(Vma(BASE + 8 * page * P, BASE + (8 * page + 4) * P, Prot.READ))
        with refused(errno.ENOMEM):
            space.unmap(BASE + P, BASE + 2 * P)
        space.unmap(BASE + 8 * P, BASE + 8 * MAX_VMAS * P)
        space.protect(BASE, BASE + P, RW)
        same(space.data_bytes, P, "bytes that count as data")


@CHECKS
def a_range_is_covered_when_every_page_of_it_is() -> None:
    with scene(3) as s:
        for start, end, covered in ((0, 3, True), (0, 4, False), (1, 2, True), (2, 9, False)):
            found = s.parent.covers(BASE + start * P, BASE + end * P)
            same(found, covered, f"pages {start} to {end} are covered")
        same(s.parent.virtual_pages(), 3, "pages of address space")


@CHECKS
def a_backing_and_the_machine_count_their_mappings() -> None:
    with scene(0) as s:
        memory = SharedMemory(s.frames, 4)
        s.parent.add(Vma(BASE, BASE + 2 * P, RW, shared=True, backing=memory))
        second = Vma(BASE + 2 * P, BASE + 4 * P, RW, shared=True, backing=memory, offset=2 * P)
        s.parent.add(second)

        def counted() -> tuple[int, int]:
            return memory.users, s.frames.budget.held[Kind.MAPPING] // second.cost

        same(counted(), (1, 1), "users and mappings after they are joined")
        part = s.parent.isolate(BASE + P, BASE + 2 * P)
        assert part is not None
        same(counted(), (3, 3), "after they are cut")
        s.parent.move(part, BASE + 100 * P)
        same(counted(), (3, 3), "after one was moved")
        s.parent.set_end(s.parent.vmas[0], BASE + 2 * P)
        s.exit(s.fork(s.parent))
        same(memory.users, sum(vma.backing is memory for vma in s.parent.vmas), "after a fork")
        s.parent.unmap(BASE, BASE + 200 * P)
        same(counted(), (0, 0), "after they are unmapped")


@CHECKS
def an_extended_mapping_is_joined_with_the_next() -> None:
    with scene(0) as s:
        anonymous(s.parent, 2)
        anonymous(s.parent, 2, at=BASE + 4 * P)
        s.parent.set_end(s.parent.vmas[0], BASE + 4 * P)
        same([(vma.start, vma.end) for vma in s.parent.vmas], [(BASE, BASE + 6 * P)], "mappings")
        s.parent.mark(BASE, BASE + P, locked=True)
        same([vma.locked for vma in s.parent.vmas], [True, False], "what is locked")


@CHECKS
def tables_of_the_upper_half_of_a_gigabyte_are_shared_as_such() -> None:
    with scene(0) as s:
        upper = BASE + 300 * LEAF_SPAN
        for at, text in ((BASE + 44 * LEAF_SPAN, b"lower"), (upper, b"upper")):
            anonymous(s.parent, 1, at=at)
            s.store(s.parent, at, text)
        child = s.fork(s.parent, "shared-tables")
        s.holds(child, upper, b"upper", "the child")
        s.holds(child, BASE + 44 * LEAF_SPAN, b"lower", "the child")


@CHECKS
def a_shared_table_is_counted_again_when_its_file_is_cut() -> None:
    with scene(0) as s:
        node = s.file(b"file" * 3 * 1024)
        mapped_file(s, s.parent, node, 3)
        for page in range(3):
            s.store(s.parent, BASE + page * P, b"mine")
        child = s.fork(s.parent, "shared-tables")
        same((s.cost.pages_shared, s.cost.eager_copies), (3, 3), "shared; what eager would copy")
        node.truncate_file(P)
        s.fork(child, "shared-tables")
        same((s.cost.pages_shared, s.cost.eager_copies), (1, 1), "after the file was cut")


@CHECKS
def a_file_that_is_cut_is_cut_where_it_is_mapped() -> None:
    """Also in a mapping that begins in its middle."""
    with scene(0) as s:
        node = s.file(b"file" * 4 * 1024)
        backing = mapped_file(s, s.parent, node, 2, offset=2 * P)
        anonymous(s.parent, 2, at=BASE - 2 * P)
        for page in range(-2, 2):
            s.store(s.parent, BASE + page * P, b"mine")
        s.parent.unmap_file(backing, 1)
        same([va for va, _ in s.parent.table.present()], [BASE - 2 * P, BASE - P], "pages left")


@CHECKS
def rights_come_back_only_where_a_store_needs_no_fault() -> None:
    """mprotect to read-only and back: of a private page, a file's, and shared memory."""
    for shared, content, allowed in ((False, b"", W), (False, b"file", 0), (True, b"file", 0)):
        with scene(0) as s:
            if content:
                mapped_file(s, s.parent, s.file(content), 1, shared=shared)
                s.load(s.parent, BASE)
            else:
                anonymous(s.parent, 1)
                s.store(s.parent, BASE, b"own")
            for prot in (Prot.READ, RW):
                s.parent.protect(BASE, BASE + P, prot)
                s.check()
            same(s.parent.table.pte(BASE) & W, allowed, "W after mprotect")
            same(s.parent.table.pte(BASE) & (V | R | U), V | R | U, "V, R and U")


@CHECKS
def a_first_store_to_shared_memory_is_dirty_at_once() -> None:
    with scene(0) as s:
        memory = SharedMemory(s.frames, 1)
        s.parent.add(Vma(BASE, BASE + P, RW, shared=True, backing=memory))
        pte = fault.handle(s.parent, BASE, Access.STORE).pte_after
        same(pte & (W | A | D), W | A | D, "W, A and D")


@CHECKS
def the_kernels_own_faults_are_reported_and_end_with_the_users_memory() -> None:
    with scene(2) as s:
        child, resolutions = s.fork(s.parent), list[Resolution]()
        user_memory(child, resolutions).write(BASE, b"kernel")
        same([str(one.outcome) for one in resolutions], [str(Outcome.COPIED)], "faults reported")
        with refused(errno.EFAULT):
            user_memory(child).read(USER_END, 1)
        user_memory(child).write(BASE + 2 * P - 4, b"long")
        with refused(errno.EFAULT):
            user_memory(child).read_cstr(BASE + 2 * P - 4)
        with refused(errno.ENAMETOOLONG):
            user_memory(child).read_cstr(BASE + 2 * P - 4, 4)
