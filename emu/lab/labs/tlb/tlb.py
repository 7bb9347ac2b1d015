"""Lab 6, the TLB: which sfence.vma must be executed when a page table has changed, and on which
hart.

A hart may go on using any PTE that it once could have seen, until a fence makes it forget::

    page table of ASID 1                        what hart 1 may remember
    0x11000  0x80231 RW-U-AD                    0x11000  0x80231 RW-U-AD
       |  fork takes W
       v
    0x11000  0x80231 R--U-AD C                  0x11000  0x80231 RW-U-AD   still writable

``Fence(hart, asid, address)`` is one sfence.vma on one hart; None stands for all::

    Fence(1, 1, 0x11000)      the leaf PTE that maps 0x11000 in ASID 1, of whatever level
    Fence(1, 1)               all of ASID 1, pointers to tables too; but nothing that is global
    Fence(1, None, 0x11000)   the leaf PTE that maps 0x11000, in every ASID, and if it is global
    Fence(1)                  everything
"""

from __future__ import annotations

from emu.lab.kit import D, Fence, G, PteChange, R, Switch, U, V, W, X, is_leaf, ppn

# BEGIN SOLUTION

RIGHTS = V | R | W | X | U | D | G
"""What a leaf PTE allows; D allows a store without a look at the page table."""
SOFTWARE = 3 << 8
"""RSW, where ``COW`` is: no hart looks at it."""


# END SOLUTION


def takes_away(before: int, after: int) -> bool:
    """Whether a hart that still uses ``before`` goes where ``after`` would not let it go.

    ``before`` is a PTE that was valid. It is a leaf (``is_leaf(before)``), or points to a table.
    A hart that still uses a PTE with *fewer* rights than it could have is no danger: its access
    faults, and it looks at the page table again.
    """
    # BEGIN SOLUTION
    if not is_leaf(before):
        return before & ~SOFTWARE != after & ~SOFTWARE
    return ppn(before) != ppn(after) or bool(before & ~after & RIGHTS)
    # END SOLUTION


def fences(change: PteChange) -> list[Fence]:
    """The fences that the kernel has to execute because it changed one PTE.

    You are called when the PTE is changed already, and before the kernel uses a frame or a table
    that it led to for anything else. Return as few fences as will do, each on one hart, each of as
    little as will do.
    """
    # BEGIN SOLUTION
    before = change.before
    if not before & V or not takes_away(before, change.after):
        return []
    asid = None if before & G else change.asid
    address = change.address if is_leaf(before) else None
    return [Fence(hart, asid, address) for hart in change.harts]
    # END SOLUTION


def fences_for_switch(switch: Switch) -> list[Fence]:
    """The fences that are needed because a hart's satp was given an address space.

    What a hart remembers is kept apart by ASIDs, so most switches need none. But an ASID can have
    been another's before: nobody told you when a process exited, and nothing was fenced then. (A
    machine without ASIDs is one where all address spaces have ASID 0.)
    """
    # BEGIN SOLUTION
    if switch.last_space is None or switch.last_space == switch.space:
        return []
    return [Fence(switch.hart, switch.asid)]
    # END SOLUTION
