"""Collapse of pages of 4 KiB to a huge page (MADV_COLLAPSE; collapse_huge_page() of Linux)."""

from __future__ import annotations

from enum import Enum, auto

from emu.machine.pte import HUGE_FRAMES, HUGE_SIZE, PAGE_SHIFT, D, make_pte, ppn
from kernel.base.errors import OutOfMemory
from kernel.mm.address_space import AddressSpace
from kernel.mm.mappings.huge_policy import contains_huge
from kernel.mm.mappings.vma import Vma
from kernel.mm.physical.frames import Kind


class Failure(Enum):
    """Reason for which a range has not become huge pages."""

    NOT_POSSIBLE = auto()
    """The mapping cannot have huge pages, or nothing of its own; or nothing is mapped in 2 MiB."""
    NO_RUN = auto()


def collapse_all(space: AddressSpace, vma: Vma, start: int, end: int) -> Failure | None:
    """Collapses each aligned 2 MiB in [start, end) of a VMA; goes on after a failure, and returns
    the last one. It is also a failure, as in Linux, if the VMA contains no such 2 MiB, or if the
    range lies between the ends of one.
    """
    first, last = -(-start // HUGE_SIZE) * HUGE_SIZE, end & -HUGE_SIZE
    suitable = first <= last and contains_huge(vma, vma.end - HUGE_SIZE) and vma.has_private
    if not suitable or not space.huge_pages.may_collapse(vma):
        return Failure.NOT_POSSIBLE
    failure = None
    for at in range(first, last, HUGE_SIZE):
        if not space.table.is_huge(at):
            failure = _collapse(space, vma, at) or failure
            if failure is Failure.NO_RUN:
                break
    return failure


def _collapse(space: AddressSpace, vma: Vma, start: int) -> Failure | None:
    """Copies the pages of 2 MiB to a run; what is not mapped becomes zeroes."""
    end = start + HUGE_SIZE
    pages = space.table.pages(start, end)
    if not pages:
        return Failure.NOT_POSSIBLE
    frames = space.frames
    try:
        space.table.own(start)
        run = frames.allocate_zeroed_run(Kind.PRIVATE)
    except OutOfMemory:
        return Failure.NO_RUN
    copied = 0
    for va, pte in pages:
        kind = frames.kind(ppn(pte))
        if kind is not Kind.ZERO:
            frames.ram.copy_frame(ppn(pte), run + ((va - start) >> PAGE_SHIFT))
            copied += kind is Kind.PRIVATE and frames.count(ppn(pte)) > 1
    space.clear_pages(start, end)
    space.table.prepare_huge(start)  # takes the leaf table, which is empty now
    space.table.link_huge(start, make_pte(run, vma.pte_flags | D))
    space.resident_bound += HUGE_FRAMES
    frames.huge_events.collapsed += 1
    frames.huge_events.collapse_copies += copied
    space.observer.collapsed(space, start, copied)
    return None
