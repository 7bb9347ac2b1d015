"""Differences of the state after an operation from the state of the reference."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from emu.lab.simulation.state_view import StateView
from emu.machine.pte import R, U, V, W, X, ppn
from kernel.mm.page_tables.page_table import COW

_RIGHTS = V | R | W | X | U | COW


@dataclass(frozen=True, slots=True)
class StateDifference:
    """Errors after an operation in which the student's code returned."""

    names: frozenset[str]
    """Names of all invariants and comparisons that fail."""
    pages: frozenset[int]
    """Addresses of pages that differ from the reference, or exist in only one of the two."""
    missing: bool
    """True if a page is missing, or not in the reference."""
    fatal: bool
    """True if the outcome of the operation differs, and a process was killed or failed."""


_Page = tuple[int, bool, bytes]
"""Rights, whether another PTE maps its frame, and content."""


def differing_pages(ours: StateView, reference: StateView) -> tuple[frozenset[int], bool]:
    """Returns the addresses of pages that differ, and True if the sets of pages differ."""
    found, wanted = _pages(ours), _pages(reference)
    differ = {at[1] for at in found.keys() | wanted.keys() if found.get(at) != wanted.get(at)}
    return frozenset(differ), found.keys() != wanted.keys()


def _pages(view: StateView) -> dict[tuple[int, int], _Page]:
    """Returns all pages of all processes."""
    present = [(pid, va, pte) for pid in view.world.spaces for va, pte in view.pages(pid).items()]
    users = Counter(ppn(pte) for _, _, pte in present)
    pages = {}
    for pid, va, pte in present:
        content = view.content(pte)
        if content is not None:
            shared = users[ppn(pte)] > 1
            pages[pid, va] = _rights(pte, shared), shared, content
    return pages


def _rights(pte: int, shared: bool) -> int:
    """Returns the rights of a PTE; a COW page without another user counts as writable."""
    if pte & COW and not shared:
        pte = pte & ~COW | W
    return pte & _RIGHTS
