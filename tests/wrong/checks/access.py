"""The kernel's own accesses to user memory follow the rules of the user's accesses."""

from __future__ import annotations

from emu.machine.pte import D
from kernel.base.errors import Errno
from kernel.mm.mappings.vma import Prot
from tests.kernel.worlds import BASE, anonymous, user_memory
from tests.wrong.checks.check import Checks, same
from tests.wrong.checks.scene import P, scene

CHECKS = Checks("kernel's access")


@CHECKS
def a_write_by_the_kernel_breaks_the_sharing() -> None:
    with scene() as s:
        child = s.fork(s.parent)
        s.kernel_writes(child, BASE + P - 3, b"kernel")
        s.holds(s.parent, BASE + P, b"page 1", "the parent")
        s.holds(s.parent, BASE + P - 3, bytes(3), "the parent")
        s.holds(child, BASE + P - 3, b"kernel", "the child")


@CHECKS
def a_write_by_the_kernel_is_seen_at_once() -> None:
    with scene() as s:
        child = s.fork(s.parent)
        s.holds(child, BASE, b"page 0", "the child")
        s.kernel_writes(child, BASE, b"kernel")
        s.holds(child, BASE, b"kernel", "the child")


@CHECKS
def a_write_by_the_kernel_sets_d() -> None:
    with scene() as s:
        s.parent.table.set_pte(BASE, s.parent.table.pte(BASE) & ~D)
        s.kernel_writes(s.parent, BASE, b"kernel")
        assert s.parent.table.pte(BASE) & D, "D is clear after the kernel's write"


@CHECKS
def a_write_by_the_kernel_spares_the_zero_frame() -> None:
    with scene(0) as s:
        anonymous(s.parent, 1)
        s.load(s.parent, BASE)
        s.kernel_writes(s.parent, BASE, b"kernel")


@CHECKS
def the_kernel_reaches_what_the_user_does_and_no_more() -> None:
    with scene() as s:
        s.parent.protect(BASE, BASE + P, Prot.READ)
        s.parent.protect(BASE + P, BASE + 2 * P, Prot.NONE)
        memory = user_memory(s.parent)
        same(memory.writable(BASE, 1), 0, "read-only bytes that the kernel may write")
        for va, expected in ((BASE, b"page 0"), (BASE + P, None)):
            try:
                found = memory.read(va, 6)
            except Errno:
                found = None
            same(found, expected, f"what the kernel reads at {va:#x}")
