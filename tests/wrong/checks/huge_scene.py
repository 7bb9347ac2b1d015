"""A scene with a huge page."""

from __future__ import annotations

from emu.machine.pte import HUGE_FRAMES, HUGE_SIZE
from kernel.mm.address_space import AddressSpace
from kernel.mm.mappings.huge_policy import HugePages, Thp
from tests.kernel.worlds import BASE, anonymous
from tests.wrong.checks.check import same
from tests.wrong.checks.scene import P, Scene

ALWAYS = HugePages(supported=True, mode=Thp.ALWAYS)
LAST = BASE + HUGE_SIZE - P
HUGEPAGE, NOHUGEPAGE, DONTNEED, COLLAPSE = 14, 15, 4, 25
SOFT_DIRTY, ACCESSED = 4, 1


def huge_scene(s: Scene, pieces: int = 1, policy: HugePages = ALWAYS) -> AddressSpace:
    """The parent with ``pieces`` times 2 MiB at BASE, the first of which begins with "first" and
    ends with "last".
    """
    s.parent.set_huge_pages(policy)
    anonymous(s.parent, pieces * HUGE_FRAMES)
    s.store(s.parent, BASE, b"first")
    s.store(s.parent, LAST, b"last")
    same(s.parent.table.is_huge(BASE), policy.mode is Thp.ALWAYS, "mapped by a huge page")
    return s.parent


def intact(s: Scene, space: AddressSpace, who: str) -> None:
    s.holds(space, BASE, b"first", who)
    s.holds(space, LAST, b"last", who)
    s.holds(space, BASE + 9 * P, bytes(5), who)


def other_memory(s: Scene) -> AddressSpace:
    """A huge page of another process, written by the kernel: the TLB remains as it is."""
    other = s.space()
    other.set_huge_pages(ALWAYS)
    anonymous(other, HUGE_FRAMES)
    while not s.frames.may_have_run():
        pass  # a search that failed defers the next ones
    s.kernel_writes(other, BASE + 5 * P, b"of somebody else")
    same(other.table.is_huge(BASE), True, "another process has a huge page")
    return other
