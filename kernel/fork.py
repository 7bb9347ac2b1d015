"""Fork policies: how a child gets its parent's memory.

All give the programs the same memory. ``eager`` copies every private page at once, as the first
Unix did; ``cow`` shares the frames, clears W and marks CoW in both, and leaves the copying to the
fault handler.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from emu.machine.pte import PPN_MASK, PPN_SHIFT, V, W
from kernel.errors import OutOfMemory
from kernel.frames import Frames, Kind, Ptes
from kernel.pagetable import COW
from kernel.space import AddressSpace
from kernel.vma import Vma


@dataclass(slots=True)
class ForkCost:
    """What one fork did: pages shared with the child, frames copied, what eager would copy."""

    pages_shared: int = 0
    frames_copied: int = 0
    eager_copies: int = 0


Policy = Callable[[AddressSpace, AddressSpace, Vma, ForkCost], None]
"""Fills the child's pages of one VMA from the parent's."""


def fork(parent: AddressSpace, asid: int, policy: Policy) -> tuple[AddressSpace, ForkCost]:
    """A copy of ``parent`` by ``policy``. On :class:`OutOfMemory` nothing is left of the child."""
    child = AddressSpace(parent.frames, asid, parent.flush_tlb)
    cost = ForkCost()
    try:
        child.brk_start, child.brk = parent.brk_start, parent.brk
        child.mmap_top, child.stack_limit = parent.mmap_top, parent.stack_limit
        for vma in parent.vmas:
            if vma.dont_fork:
                continue
            child.inherit(vma)
            if not vma.wipe_on_fork:
                policy(parent, child, vma, cost)
    except OutOfMemory:
        child.leave()
        raise
    finally:
        parent.flush_tlb()
    return child, cost


def cow(parent: AddressSpace, child: AddressSpace, vma: Vma, cost: ForkCost) -> None:
    """Shares every frame; a private page loses W and is marked CoW in both processes."""
    frames = parent.frames
    for va, ptes in parent.table.slices(vma.start, vma.end):
        present = (ptes & V) != 0
        mapped = ptes[present]
        if not len(mapped):
            continue
        target = child.table.range_at(va, len(ptes))
        if not vma.shared:
            writable = (ptes & W) != 0
            ptes[writable] = ptes[writable] & ~np.uint64(W) | np.uint64(COW)
            parent.table.writes += int(np.count_nonzero(writable))
            cost.eager_copies += _private(frames, mapped)
        target[:] = ptes
        child.table.writes += len(mapped)
        frames.share_all(mapped)
        cost.pages_shared += len(mapped)


def eager(parent: AddressSpace, child: AddressSpace, vma: Vma, cost: ForkCost) -> None:
    """Copies every private frame; the zero frame and the page cache's frames stay shared."""
    if vma.shared:
        cow(parent, child, vma, cost)
        return
    frames = parent.frames
    for va, ptes in parent.table.slices(vma.start, vma.end):
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


POLICIES: dict[str, Policy] = {"cow": cow, "eager": eager}
