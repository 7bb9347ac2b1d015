"""Lab 6, the TLB: the sfence.vma instructions that a change of a page table requires, on each hart.

A hart may cache any PTE that was valid, and use it until a fence flushes it::

    page table of ASID 1                        TLB of hart 1
    0x11000  0x80231 RW-U-AD                    0x11000  0x80231 RW-U-AD
       |  fork takes W
       v
    0x11000  0x80231 R--U-AD CoW                0x11000  0x80231 RW-U-AD   still writable

``Fence(hart, asid, address)`` is one sfence.vma on one hart; None means all. It flushes::

    Fence(1, 1, 0x11000)      the leaf PTE of any level that maps 0x11000 in ASID 1
    Fence(1, 1)               all of ASID 1, including pointers to tables, except global PTEs
    Fence(1, None, 0x11000)   the leaf PTE that maps 0x11000, in every ASID, also if global
    Fence(1)                  everything
"""

from __future__ import annotations

from emu.lab.kit import D, Fence, G, PteChange, R, Switch, U, V, W, X, is_leaf, ppn

# BEGIN SOLUTION

RIGHTS = V | R | W | X | U | D | G
"""Rights of a leaf PTE; D allows a store without reading the page table."""
SOFTWARE = 3 << 8
"""RSW, which contains ``COW``: harts ignore it."""


# END SOLUTION


def takes_away(before: int, after: int) -> bool:
    """Returns True if ``before`` allows an access, or a walk, that ``after`` does not allow.

    ``before`` is a PTE that was valid: a leaf (``is_leaf(before)``) or a pointer to a table. A
    cached PTE with *fewer* rights than the page table's is harmless: when it does not allow an
    access, the hart reads the page table again before it faults.
    """
    # BEGIN SOLUTION
    if not is_leaf(before):
        return before & ~SOFTWARE != after & ~SOFTWARE
    return ppn(before) != ppn(after) or bool(before & ~after & RIGHTS)
    # END SOLUTION


def fences(change: PteChange) -> list[Fence]:
    """Returns the fences that the kernel must execute after it changed one PTE.

    The kernel calls this function after the change, and before it uses a frame or a table that the
    PTE referred to for anything else. Return the minimum number of fences, each for one hart, and
    each as narrow as possible.
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
    """Returns the fences that are required after a hart's satp was set to an address space.

    TLB entries are tagged with ASIDs, so most switches require none. But another address space may
    have had this ASID before: there is no call, and no fence, when a process exits. (On a machine
    without ASIDs all address spaces have ASID 0.)
    """
    # BEGIN SOLUTION
    if switch.last_space is None or switch.last_space == switch.space:
        return []
    return [Fence(switch.hart, switch.asid)]
    # END SOLUTION
