"""Fork policies: how a child gets its parent's memory.

All give the programs the same memory. ``eager`` copies every private page at once, as the first
Unix did. ``cow`` shares the frames, clears W and marks CoW in both, and leaves the copying to the
fault handler. ``shared-tables`` shares the leaf page tables themselves, so that a fork costs a
pointer for 2 MiB; the first change to one copies it (Zhao et al., "On-demand-fork", EuroSys '21).

On-demand-fork takes W from the tables' pointers. Sv39 has no W there, and to make them invalid
would make each first read fault too; so the pages lose W once, when their table is shared for the
first time. A table that is shared has no page that may be stored to, but for shared memory's, and
later forks find it so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from emu.machine.pte import PPN_MASK, PPN_SHIFT, V, W
from kernel.errors import OutOfMemory
from kernel.frames import Frames, Kind, Ptes
from kernel.pagetable import COW, LEAF_SPAN
from kernel.space import AddressSpace
from kernel.vma import Vma


@dataclass(slots=True)
class ForkCost:
    """What one fork did: pages shared with the child, frames copied, what eager would copy.

    ``tables_shared`` are the leaf tables that it shared instead of copying.
    """

    pages_shared: int = 0
    tables_shared: int = 0
    frames_copied: int = 0
    eager_copies: int = 0


Policy = Callable[[AddressSpace, AddressSpace, ForkCost], None]
"""Fills the page table of a child, whose VMAs are there, from the parent's."""


def fork(parent: AddressSpace, asid: int, policy: Policy) -> tuple[AddressSpace, ForkCost]:
    """A copy of ``parent`` by ``policy``. On :class:`OutOfMemory` nothing is left of the child."""
    child = AddressSpace(parent.frames, asid, parent.flush_tlb)
    cost = ForkCost()
    try:
        child.brk_start, child.brk = parent.brk_start, parent.brk
        child.mmap_top, child.stack_limit = parent.mmap_top, parent.stack_limit
        for vma in parent.vmas:
            if not vma.dont_fork:
                child.inherit(vma)
        policy(parent, child, cost)
    except OutOfMemory:
        child.leave()
        raise
    finally:
        parent.flush_tlb()
    return child, cost


def cow(parent: AddressSpace, child: AddressSpace, cost: ForkCost) -> None:
    """Shares every frame; a private page loses W and is marked CoW in both processes."""
    for vma in _inherited(child):
        for va, ptes in parent.table.slices(vma.start, vma.end):
            _share_pages(parent, child, vma, (va, ptes), cost)


def eager(parent: AddressSpace, child: AddressSpace, cost: ForkCost) -> None:
    """Copies every private frame; the zero frame and the page cache's frames stay shared."""
    for vma in _inherited(child):
        for va, ptes in parent.table.slices(vma.start, vma.end):
            if vma.shared:
                _share_pages(parent, child, vma, (va, ptes), cost)
            else:
                _copy_pages(parent, child, (va, ptes), cost)


def shared_tables(parent: AddressSpace, child: AddressSpace, cost: ForkCost) -> None:
    """Shares every leaf table, but for those with pages that the child does not inherit."""
    apart = {
        span
        for vma in parent.vmas
        if vma.dont_fork or vma.wipe_on_fork
        for span in parent.table.spans(vma.start, vma.end)
    }
    for span in apart:
        parent.table.own(span)
    for vma in _inherited(child):
        for va, ptes in parent.table.unshared_slices(vma.start, vma.end):
            if va & -LEAF_SPAN in apart:
                _share_pages(parent, child, vma, (va, ptes), cost)
            elif not vma.shared:
                _take_w(parent, ptes)
    shared = parent.table.share_with(child.table, apart)
    cost.tables_shared += len(shared)
    cost.pages_shared += sum(table.pages for table in shared)
    cost.eager_copies += sum(table.private for table in shared)


def _inherited(child: AddressSpace) -> list[Vma]:
    """The VMAs whose pages the child gets."""
    return [vma for vma in child.vmas if not vma.wipe_on_fork]


Slice = tuple[int, Ptes]
"""Where a part of a leaf table begins, and a view of its PTEs."""


def _share_pages(
    parent: AddressSpace, child: AddressSpace, vma: Vma, part: Slice, cost: ForkCost
) -> None:
    frames = parent.frames
    va, ptes = part
    mapped = ptes[(ptes & V) != 0]
    if not len(mapped):
        return
    target = child.table.range_at(va, len(ptes))
    if not vma.shared:
        _take_w(parent, ptes)
        cost.eager_copies += _private(frames, mapped)
    target[:] = ptes
    child.table.writes += len(mapped)
    frames.share_all(mapped)
    cost.pages_shared += len(mapped)


def _take_w(parent: AddressSpace, ptes: Ptes) -> None:
    """Private pages that may be stored to are CoW from now on."""
    writable = (ptes & W) != 0
    ptes[writable] = ptes[writable] & ~np.uint64(W) | np.uint64(COW)
    parent.table.writes += int(np.count_nonzero(writable))


def _copy_pages(parent: AddressSpace, child: AddressSpace, part: Slice, cost: ForkCost) -> None:
    frames = parent.frames
    va, ptes = part
    for index in np.flatnonzero(ptes & V).tolist():
        pte = int(ptes[index])
        frame = pte >> PPN_SHIFT & PPN_MASK
        target = child.table.range_at(va, len(ptes))
        if frames.kind(frame) is Kind.PRIVATE:
            copy = frames.allocate(Kind.PRIVATE)
            frames.ram.copy_frame(frame, copy)
            pte = pte & ~(PPN_MASK << PPN_SHIFT) | copy << PPN_SHIFT
            cost.frames_copied += 1
            cost.eager_copies += 1
        else:
            frames.share(frame)
            cost.pages_shared += 1
        target[index] = pte
        child.table.writes += 1


def _private(frames: Frames, ptes: Ptes) -> int:
    return int(np.count_nonzero(frames.kinds[frames.indices(ptes)] == Kind.PRIVATE))


POLICIES: dict[str, Policy] = {"cow": cow, "eager": eager, "shared-tables": shared_tables}
