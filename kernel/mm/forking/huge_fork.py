"""Huge pages in a fork: shared as a whole by one PTE, or copied."""

from __future__ import annotations

from emu.machine.pte import FLAGS, HUGE_FRAMES, HUGE_SIZE, PAGE_SHIFT, A, W, make_pte, ppn
from kernel.base.errors import OutOfMemory
from kernel.mm.address_space import AddressSpace
from kernel.mm.forking.fork_cost import ForkCost
from kernel.mm.page_tables.page_table import COW
from kernel.mm.physical.frames import Kind


def share_huge_pages(
    parent: AddressSpace, child: AddressSpace, start: int, end: int, cost: ForkCost
) -> None:
    """Shares the huge pages of [start, end), which lie within it: both lose W and become CoW."""
    for va, pte in parent.table.huge_pages(start, end):
        kind = parent.frames.kind(ppn(pte))
        if kind is Kind.HUGETLB:
            child.table.make_middle(va)
        else:
            child.table.prepare_huge(va)
        shared = pte & ~W | COW if pte & W else pte
        if shared != pte:
            parent.table.set_huge(va, shared)
            cost.ptes_written += 1
        child.table.link_huge(va, shared if parent.inherits_all else shared & ~A)
        parent.frames.share_run(ppn(pte))
        cost.ptes_written += 1
        cost.pages_shared += HUGE_FRAMES
        if kind is Kind.PRIVATE:
            cost.eager_copies += HUGE_FRAMES


def copy_huge_pages(
    parent: AddressSpace, child: AddressSpace, start: int, end: int, cost: ForkCost
) -> None:
    """Copies the huge pages of [start, end); those for which there is no run of frames, into pages
    of 4 KiB. A page of the pool for MAP_HUGETLB is shared, since the pool may have none for a copy.
    """
    frames = parent.frames
    for va, pte in parent.table.huge_pages(start, end):
        if frames.kind(ppn(pte)) is not Kind.PRIVATE:
            share_huge_pages(parent, child, va, va + HUGE_SIZE, cost)
            continue
        child.table.prepare_huge(va)
        _copy(child, va, pte)
        cost.frames_copied += HUGE_FRAMES
        cost.eager_copies += HUGE_FRAMES
        cost.ptes_written += 1


def _copy(child: AddressSpace, va: int, pte: int) -> None:
    frames, flags = child.frames, pte & FLAGS
    try:
        run = frames.allocate_run(Kind.PRIVATE)
    except OutOfMemory:
        child.table.cancel_huge(va)
        _copy_singly(child, va, ppn(pte), flags)
        return
    frames.ram.copy_frames(ppn(pte), run, HUGE_FRAMES)
    child.table.link_huge(va, make_pte(run, flags))


def _copy_singly(child: AddressSpace, va: int, run: int, flags: int) -> None:
    frames = child.frames
    for number in range(HUGE_FRAMES):
        page = va + (number << PAGE_SHIFT)
        child.table.leaf(page)
        copy = frames.allocate(Kind.PRIVATE)
        frames.ram.copy_frame(run + number, copy)
        child.table.set_pte(page, make_pte(copy, flags))
