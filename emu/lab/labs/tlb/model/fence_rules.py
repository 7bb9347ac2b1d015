"""The grader's rule for the lab ``tlb``: fences that a change of a page table requires.

Privileged spec, "Supervisor Memory-Management Fence Instruction": a change of a leaf PTE requires a
fence with an address of its page, a change of a pointer a fence of all addresses. The fence is for
the address space's ASID, or for all ASIDs if the PTE is global. A leaf that only gained rights, or
was invalid, requires none: a hart that cached the old PTE reads the page table again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from itertools import product
from typing import NamedTuple

from emu.lab.kit.values import Fence, PteChange, Switch
from emu.machine.pte import PAGE_SHIFT, VPN_BITS, A, D, G, R, U, V, W, X, is_leaf, ppn


def reach(level: int) -> int:
    """Bytes mapped by an entry of a table of ``level``."""
    return 1 << PAGE_SHIFT + VPN_BITS * level


class Kind(Enum):
    """Kind of a TLB entry."""

    LEAF = "leaf"
    GLOBAL = "global leaf"
    POINTER = "pointer"


class EntryClass(NamedTuple):
    """A class of TLB entries, relative to one change of a PTE."""

    hart: int
    same_asid: bool
    here: bool
    """True for entries of the addresses that the changed PTE maps."""
    kind: Kind


def flushed_by(fences: Iterable[Fence], change: PteChange) -> set[EntryClass]:
    """Classes of entries that the fences flush, of all classes on at least three harts."""
    fences = list(fences)
    harts = {0, 1, 2, change.here, *change.harts, *(fence.hart for fence in fences)}
    return {
        each
        for fence in fences
        for each in _all_classes(sorted(harts))
        if _flushes(fence, each, change)
    }


def _all_classes(harts: list[int]) -> Iterator[EntryClass]:
    for values in product(harts, (True, False), (True, False), Kind):
        yield EntryClass(*values)


def _flushes(fence: Fence, each: EntryClass, change: PteChange) -> bool:
    if fence.hart != each.hart:
        return False
    other = (fence.asid == change.asid) != each.same_asid
    if fence.asid is not None and (other or each.kind is Kind.GLOBAL):
        return False
    if fence.address is None:
        return True
    inside = change.address <= fence.address < change.address + reach(change.level)
    return each.kind is not Kind.POINTER and inside == each.here


def needed_fences(change: PteChange) -> list[Fence]:
    """Minimum fences that flush every stale entry after a change."""
    before = change.before
    if not _takes_away(before, change.after):
        return []
    asid = None if before & G else change.asid
    address = change.address if is_leaf(before) else None
    return [Fence(hart, asid, address) for hart in change.harts]


def needed_fences_for_switch(switch: Switch) -> list[Fence]:
    """Minimum fences that flush every stale entry after a switch."""
    if switch.last_space in (None, switch.space):
        return []
    return [Fence(switch.hart, switch.asid)]


def _takes_away(before: int, after: int) -> bool:
    """True if ``before`` allows an access, or a walk, that ``after`` does not allow."""
    if not before & V:
        return False
    if not is_leaf(before):
        return before & ~_SOFTWARE != after & ~_SOFTWARE
    return ppn(before) != ppn(after) or bool(before & ~after & (V | R | W | X | U | D | G))


_SOFTWARE = 3 << 8
"""RSW: the hardware ignores it."""


def is_optional(change: PteChange) -> bool:
    """True if a fence is neither required nor excessive: A was cleared, W was removed from a page
    with D clear, or U was added, so that the supervisor lost what the user gained.
    """
    before, after = change.before, change.after
    if not before & V or not is_leaf(before) or ppn(before) != ppn(after):
        return False
    lost = before & ~after
    if lost & W and not before & D:
        return not lost & (V | R | X | U | D | G)
    return not _takes_away(before, after) and bool(lost & A or ~before & after & U)
