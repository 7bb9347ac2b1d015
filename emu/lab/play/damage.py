"""How far a student's operation went wrong: what it left, beside what the reference left."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emu.machine.pte import PAGE_SHIFT, R, U, V, W, X, ppn
from kernel.pagetable import COW

if TYPE_CHECKING:
    from emu.lab.play.world import World

_RIGHTS = V | R | W | X | U | COW


@dataclass(frozen=True, slots=True)
class Damage:
    """What is wrong after an operation in which the student's code came back."""

    names: frozenset[str]
    """Of all invariants and comparisons that do not hold."""
    pages: frozenset[int]
    """Addresses of pages that are not what they are in the reference."""
    fatal: bool
    """A page is missing or too much, or the operation came to another end than it should."""


_Page = tuple[int, bool, bytes]
"""Its rights, whether another PTE names its frame too, and its bytes."""


def unlike(ours: World, reference: World) -> tuple[frozenset[int], bool]:
    """The pages that differ, and whether one of the two has pages that the other has not."""
    found, wanted = _pages(ours), _pages(reference)
    differ = {va for pid, va in wanted if found.get((pid, va)) != wanted[pid, va]}
    return frozenset(differ), found.keys() != wanted.keys()


def _pages(world: World) -> dict[tuple[int, int], _Page]:
    """Every page of every process."""
    present = [(pid, va, pte) for pid, s in world.spaces.items() for va, pte in s.table.present()]
    users = Counter(ppn(pte) for _, _, pte in present)
    pages = {}
    for pid, va, pte in present:
        if world.ram.holds(ppn(pte) << PAGE_SHIFT):
            shared = users[ppn(pte)] > 1
            pages[pid, va] = _rights(pte, shared), shared, world.ram.read_frame(ppn(pte))
    return pages


def _rights(pte: int, shared: bool) -> int:
    """What is COW and nobody else's may be stored to, by right, as with W."""
    if pte & COW and not shared:
        pte = pte & ~COW | W
    return pte & _RIGHTS
