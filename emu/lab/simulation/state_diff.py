"""Compares the state after a student's operation with the state that the reference leaves."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emu.machine.pte import PAGE_SHIFT, R, U, V, W, X, ppn
from kernel.mm.page_table import COW

if TYPE_CHECKING:
    from emu.lab.simulation.machine import SimulatedMachine

_RIGHTS = V | R | W | X | U | COW


@dataclass(frozen=True, slots=True)
class StateDifference:
    """Errors after an operation in which the student's code returned."""

    names: frozenset[str]
    """Names of all invariants and comparisons that fail."""
    pages: frozenset[int]
    """Addresses of pages that differ from the reference, or that only one of the two has."""
    missing: bool
    """A page is missing or extra."""
    fatal: bool
    """The operation ended in another way than it should."""


_Page = tuple[int, bool, bytes]
"""Rights, whether another PTE refers to its frame, and the bytes."""


def differing_pages(
    ours: SimulatedMachine, reference: SimulatedMachine
) -> tuple[frozenset[int], bool]:
    """Addresses of the pages that differ, and whether the two have different sets of pages."""
    found, wanted = _pages(ours), _pages(reference)
    differ = {at[1] for at in found.keys() | wanted.keys() if found.get(at) != wanted.get(at)}
    return frozenset(differ), found.keys() != wanted.keys()


def _pages(world: SimulatedMachine) -> dict[tuple[int, int], _Page]:
    """All pages of all processes."""
    present = [(pid, va, pte) for pid, s in world.spaces.items() for va, pte in s.table.present()]
    users = Counter(ppn(pte) for _, _, pte in present)
    pages = {}
    for pid, va, pte in present:
        if world.ram.holds(ppn(pte) << PAGE_SHIFT):
            shared = users[ppn(pte)] > 1
            pages[pid, va] = _rights(pte, shared), shared, world.ram.read_frame(ppn(pte))
    return pages


def _rights(pte: int, shared: bool) -> int:
    """Rights of a PTE; a COW page with no other user counts as writable, as with W."""
    if pte & COW and not shared:
        pte = pte & ~COW | W
    return pte & _RIGHTS
