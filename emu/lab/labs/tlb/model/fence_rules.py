"""What a change of a page table demands of the TLBs: the grader's own rule for the lab ``tlb``.

Privileged spec, "Supervisor Memory-Management Fence Instruction": who changed a leaf PTE fences an
address of its page, who changed a pointer fences all addresses; of the address space's ASID, or of
all where the PTE is global. A leaf that only gained rights, or that was invalid, need not be
fenced: who remembers the old one faults, and looks again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from itertools import product
from typing import NamedTuple

from emu.lab.kit.values import Fence, PteChange, Switch
from emu.machine.pte import PAGE_SHIFT, VPN_BITS, A, D, G, R, U, V, W, X, is_leaf, ppn


def reach(level: int) -> int:
    """How many bytes an entry of a table of ``level`` maps."""
    return 1 << PAGE_SHIFT + VPN_BITS * level


class Kind(Enum):
    """What a hart may remember."""

    LEAF = "leaf"
    GLOBAL = "global leaf"
    POINTER = "pointer"


class Remembered(NamedTuple):
    """A class of things that a hart may remember, seen from one change."""

    hart: int
    same_asid: bool
    here: bool
    """At the change's addresses, or elsewhere."""
    kind: Kind


def forgotten(fences: Iterable[Fence], change: PteChange) -> set[Remembered]:
    """What the fences drop, of all that three harts, or more, may remember."""
    fences = list(fences)
    harts = {0, 1, 2, change.here, *change.harts, *(fence.hart for fence in fences)}
    return {
        each
        for fence in fences
        for each in _everything(sorted(harts))
        if _drops(fence, each, change)
    }


def _everything(harts: list[int]) -> Iterator[Remembered]:
    for values in product(harts, (True, False), (True, False), Kind):
        yield Remembered(*values)


def _drops(fence: Fence, each: Remembered, change: PteChange) -> bool:
    if fence.hart != each.hart:
        return False
    other = (fence.asid == change.asid) != each.same_asid
    if fence.asid is not None and (other or each.kind is Kind.GLOBAL):
        return False
    if fence.address is None:
        return True
    inside = change.address <= fence.address < change.address + reach(change.level)
    return each.kind is not Kind.POINTER and inside == each.here


def needed(change: PteChange) -> list[Fence]:
    """The fewest fences that make every hart forget what is no longer true."""
    before = change.before
    if not _loses(before, change.after):
        return []
    asid = None if before & G else change.asid
    address = change.address if is_leaf(before) else None
    return [Fence(hart, asid, address) for hart in change.harts]


def needed_for(switch: Switch) -> list[Fence]:
    """The same, when a hart was given an address space."""
    if switch.last_space in (None, switch.space):
        return []
    return [Fence(switch.hart, switch.asid)]


def _loses(before: int, after: int) -> bool:
    """Whether who remembers ``before`` may do, or go, what ``after`` doesn't allow."""
    if not before & V:
        return False
    if not is_leaf(before):
        return before & ~_SOFTWARE != after & ~_SOFTWARE
    return ppn(before) != ppn(after) or bool(before & ~after & (V | R | W | X | U | D | G))


_SOFTWARE = 3 << 8
"""RSW: the hardware ignores it."""


def is_open(change: PteChange) -> bool:
    """Whether a fence is neither needed nor too much: A was cleared, a page that can't have been
    stored to lost W, a pointer became global; or the supervisor lost what the user gained.
    """
    before, after = change.before, change.after
    if not before & V or not is_leaf(before) or ppn(before) != ppn(after):
        return False
    lost = before & ~after
    if lost & W and not before & D:
        return not lost & (V | R | X | U | D | G)
    return not _loses(before, after) and bool(lost & A or ~before & after & U)
