"""Middle tables that processes share: contents for each after a change by one of them."""

from __future__ import annotations

from emu.machine.cause import Access
from emu.machine.pte import HUGE_SIZE
from kernel.mm.faults import fault
from kernel.mm.outcome import Outcome
from tests.kernel.worlds import BASE, anonymous
from tests.wrong.checks.check import Checks, same
from tests.wrong.checks.huge_scene import ALWAYS
from tests.wrong.checks.scene import P, Scene, scene

CHECKS = Checks("middles")
SHARED = "shared-tables"
UPPER = BASE + 400 * HUGE_SIZE
"""An address in the upper half of the range of BASE's middle table."""
FAR = BASE + 512 * HUGE_SIZE
"""An address below the next middle table."""


def _stored_at_upper(s: Scene) -> None:
    anonymous(s.parent, 2, at=UPPER)
    s.store(s.parent, UPPER, b"upper!")


@CHECKS
def a_fork_says_how_many_middle_tables_it_shared() -> None:
    with scene() as s:
        s.fork(s.parent, SHARED)
        same((s.cost.middles_shared, s.cost.tables_shared), (1, 1), "middle and leaf tables")


@CHECKS
def a_fault_says_that_it_copied_a_middle_table() -> None:
    with scene() as s:
        child = s.fork(s.parent, SHARED)
        for copied in (True, False):
            resolution = fault.handle(child, BASE + copied * P, Access.STORE)
            same(resolution.middle_copied, copied, "a middle table was copied")


@CHECKS
def tables_beside_what_is_not_inherited_are_shared_singly() -> None:
    for fields in ({"dont_fork": True}, {"wipe_on_fork": True}):
        with scene() as s:
            _stored_at_upper(s)
            anonymous(s.parent, 1, at=BASE + 9 * HUGE_SIZE)
            s.store(s.parent, BASE + 9 * HUGE_SIZE, b"alone!")
            s.parent.mark(BASE + 9 * HUGE_SIZE, BASE + 9 * HUGE_SIZE + P, **fields)
            child = s.fork(s.parent, SHARED)
            same((s.cost.middles_shared, s.cost.tables_shared), (0, 2), "middle and leaf tables")
            same(child.table.pte(BASE + 9 * HUGE_SIZE), 0, "the child's PTE of what is not its")
            s.holds(child, BASE, b"page 0", "the child")
            s.holds(child, UPPER, b"upper!", "the child")
            s.store(child, UPPER, b"child!")
            s.holds(s.parent, UPPER, b"upper!", "the parent")
            s.holds(s.parent, BASE + 9 * HUGE_SIZE, b"alone!", "the parent")


@CHECKS
def tables_beside_a_huge_page_are_shared_singly() -> None:
    with scene(frames=2048) as s:
        s.parent.set_huge_pages(ALWAYS)
        anonymous(s.parent, 512, at=UPPER)
        s.store(s.parent, UPPER, b"huge!!")
        child = s.fork(s.parent, SHARED)
        same((s.cost.middles_shared, s.cost.tables_shared), (0, 1), "middle and leaf tables")
        s.store(child, UPPER, b"child!")
        s.holds(s.parent, UPPER, b"huge!!", "the parent")
        s.holds(child, BASE, b"page 0", "the child")


@CHECKS
def pages_move_to_a_new_table_of_one_process() -> None:
    """From below another middle table."""
    with scene() as s:
        anonymous(s.parent, 1, at=FAR)
        s.store(s.parent, FAR, b"moved!")
        child = s.fork(s.parent, SHARED)
        vma = child.isolate(FAR, FAR + P)
        assert vma is not None
        child.move(vma, UPPER)
        s.check()
        s.holds(child, UPPER, b"moved!", "the child")
        s.refuses(s.parent, UPPER, None, Outcome.SEGV_MAPERR)
        s.holds(s.parent, FAR, b"moved!", "the parent")


@CHECKS
def a_munmap_of_a_whole_table_copies_the_middle_table_only() -> None:
    with scene() as s:
        _stored_at_upper(s)
        child = s.fork(s.parent, SHARED)
        taken = s.frames.allocations
        child.unmap(BASE, BASE + 3 * P)
        same(s.frames.allocations - taken, 1, "frames taken by munmap")
        s.check()
        s.holds(child, UPPER, b"upper!", "the child")
        s.holds(s.parent, BASE, b"page 0", "the parent")


@CHECKS
def those_who_share_a_middle_table_may_end_in_any_order() -> None:
    for last in range(3):
        with scene() as s:
            _stored_at_upper(s)
            child = s.fork(s.parent, SHARED)
            grandchild = s.fork(child, SHARED)
            s.store(child, UPPER, b"child!")
            spaces = [s.parent, child, grandchild]
            for number in (0, 1, 2):
                if number != last:
                    s.exit(spaces[number])
                    s.check()
            s.holds(spaces[last], BASE, b"page 0", "the last")
            s.holds(spaces[last], UPPER, b"child!" if last == 1 else b"upper!", "the last")
