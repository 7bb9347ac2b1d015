"""Fork policies: eager copy, copy-on-write, shared page tables.

All give the child the same memory contents. ``eager`` copies every private page at once, as the
first Unix did. ``cow`` shares the frames, clears W and marks CoW in both, and leaves the copying to
the fault handler. ``shared-tables`` shares the leaf page tables themselves (Zhao et al.,
"On-demand-fork", EuroSys '21), and the middle ones too, so that a fork costs one pointer per 1 GiB;
the first change to a table copies it, and the middle table before.

On-demand-fork clears W in the pointers to tables. Sv39 has no W there, and invalid pointers would
make each first read fault too; so the PTEs lose W once, when their table is first shared. A shared
table has no writable page except those of shared memory, which later forks rely on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import NamedTuple

from emu.machine.pte import PPN_MASK, PPN_SHIFT, VA_MASK, A, V, W
from kernel.base.errors import Errno, OutOfMemory
from kernel.base.lazy_numpy import Ptes, np
from kernel.mm.address_space import AddressSpace
from kernel.mm.forking.fork_cost import ForkCost
from kernel.mm.forking.huge_fork import copy_huge_pages, share_huge_pages
from kernel.mm.mappings.vma import Vma
from kernel.mm.page_tables.page_table import COW, Part
from kernel.mm.physical import pte_loops
from kernel.mm.physical.frames import Frames, Kind

Policy = Callable[[AddressSpace, AddressSpace, ForkCost], None]
"""Fills the page table of a child, which has its VMAs, from the parent's."""


def fork(parent: AddressSpace, asid: int, policy: Policy) -> tuple[AddressSpace, ForkCost]:
    """Copies ``parent`` by ``policy``; returns the copy and its cost. An exception undoes it."""
    child = type(parent)(parent.frames, asid, parent.flush_tlb)
    child.observer, child.pager = parent.observer, parent.pager
    cost = ForkCost()
    try:
        child.brk_start, child.brk = parent.brk_start, parent.brk
        child.mmap_top, child.stack_limit = parent.mmap_top, parent.stack_limit
        child.limits = parent.limits
        child.asks_for_barriers = parent.asks_for_barriers
        child.fault_around, child.inherits_all = parent.fault_around, parent.inherits_all
        child.set_huge_pages(parent.huge_pages)
        child.image = parent.image
        child.resident_bound = parent.resident_bound
        child.inherit(parent)
        policy(parent, child, cost)
    except (OutOfMemory, Errno):
        child.leave()
        raise
    finally:
        parent.flush_tlb()
    return child, cost


class _Span(NamedTuple):
    """Successive mappings, with nothing between them that is treated otherwise."""

    start: int
    end: int
    shared: bool


def cow(parent: AddressSpace, child: AddressSpace, cost: ForkCost) -> None:
    """Shares every frame; a private page loses W and is marked CoW in both processes."""
    for span in _copied(parent):
        keys = parent.table.keys(span.start, span.end)
        _share_span(parent, child, span, keys, cost)
        share_huge_pages(parent, child, span.start, span.end, cost)


def eager(parent: AddressSpace, child: AddressSpace, cost: ForkCost) -> None:
    """Copies every private frame; the zero frame and the page cache's frames stay shared."""
    for span in _copied(parent):
        keys = parent.table.keys(span.start, span.end)
        if span.shared:
            _share_span(parent, child, span, keys, cost)
        else:
            for part in parent.table.parts(span.start, span.end, keys):
                _copy_pages(parent, child, part, cost)
        copy_huge_pages(parent, child, span.start, span.end, cost)


def shared_tables(
    parent: AddressSpace, child: AddressSpace, cost: ForkCost, *, middles: bool = True
) -> None:
    """Shares every table except those with pages that the child does not inherit; without
    ``middles`` leaf tables only.
    """
    apart = {
        key
        for vma in parent.vmas
        if not _is_inherited(vma)
        for key in parent.table.keys(vma.start, vma.end)
    }
    if apart:
        for span in _copied(parent):
            keys = [key for key in parent.table.keys(span.start, span.end) if key in apart]
            _share_span(parent, child, span, keys, cost)
    for span in _spans(parent.vmas, lambda vma: _is_inherited(vma) and not vma.shared):
        cost.ptes_written += _take_w_of_span(parent, span)
        share_huge_pages(parent, child, span.start, span.end, cost)
    sharing = parent.table.share_with(child.table, apart, middles)
    cost.tables_shared += sharing.tables
    cost.middles_shared += sharing.middles
    cost.ptes_written += sharing.pointers
    cost.pages_shared += sharing.pages
    cost.eager_copies += sharing.private


def _is_inherited(vma: Vma) -> bool:
    """True when a child gets the mapping with its pages (madvise(2))."""
    return not vma.dont_fork and not vma.wipe_on_fork


def _copied(parent: AddressSpace) -> list[_Span]:
    """The mappings whose PTEs are copied: those with private pages. The child's faults find the
    others in the page cache (vma_needs_copy() of Linux).
    """
    every = parent.inherits_all
    return _spans(parent.vmas, lambda vma: _is_inherited(vma) and (every or vma.has_private))


def _spans(vmas: Sequence[Vma], wanted: Callable[[Vma], bool]) -> list[_Span]:
    """The wanted mappings, those that follow each other as one: fork's cost is by leaf table."""
    spans = []
    for shared, group in groupby(vmas, lambda vma: vma.shared if wanted(vma) else None):
        if shared is not None:
            first, *others = group
            spans.append(_Span(first.start, (others or [first])[-1].end, shared))
    return spans


def _share_span(
    parent: AddressSpace, child: AddressSpace, span: _Span, keys: list[int], cost: ForkCost
) -> None:
    """Shares the pages of the leaf tables ``keys`` in a span."""
    if not pte_loops.in_loops(len(keys)):
        for part in parent.table.parts(span.start, span.end, keys):
            _share_pages(parent, child, part, cost, shared=span.shared)
        return
    mask = VA_MASK if parent.inherits_all else VA_MASK & ~A  # it has accessed no page
    for key in keys:
        pages, private, lost = parent.table.share_pages(
            child.table, key, span.start, span.end, mask, cow=not span.shared
        )
        cost.pages_shared += pages
        cost.eager_copies += private
        cost.ptes_written += pages + lost


def _share_pages(
    parent: AddressSpace, child: AddressSpace, part: Part, cost: ForkCost, *, shared: bool
) -> None:
    present = (part.ptes & V) != 0
    if not present.any():
        return
    child.table.make_tables(part)
    if not shared and (lost := _take_w(part)):
        cost.ptes_written += lost
        parent.table.write(part)
    if not parent.inherits_all:
        np.bitwise_and(part.ptes, ~np.uint64(A), out=part.ptes)  # it has accessed no page
    child.table.write(part)
    mapped = part.ptes[present]
    parent.frames.share_all(mapped)
    cost.pages_shared += len(mapped)
    cost.ptes_written += len(mapped)
    cost.eager_copies += int(np.count_nonzero(parent.frames.private(mapped)))


def _take_w_of_span(parent: AddressSpace, span: _Span) -> int:
    """Turns the writable private pages of unshared leaf tables into CoW pages; returns their
    number.
    """
    table, lost = parent.table, 0
    keys = table.unshared_keys(span.start, span.end)
    if pte_loops.in_loops(len(keys)):
        for key in keys:
            lost += table.take_w(key, span.start, span.end)
        return lost
    for part in table.parts(span.start, span.end, keys):
        if taken := _take_w(part):
            lost += taken
            table.write(part)
    return lost


def _take_w(part: Part) -> int:
    """Turns writable private pages into CoW pages; returns their number."""
    ptes = part.ptes
    writable = ptes & W
    count = int(np.count_nonzero(writable))
    if count:
        ptes ^= writable
        ptes |= writable // W * COW
    return count


def _copy_pages(parent: AddressSpace, child: AddressSpace, part: Part, cost: ForkCost) -> None:
    frames = parent.frames
    present = (part.ptes & V) != 0
    if not present.any():
        return
    child.table.make_tables(part)
    mapped = part.ptes[present]
    private = frames.private(mapped)
    mapped[private] = _copies(frames, mapped[private], cost)
    frames.share_all(mapped[~private])
    cost.pages_shared += int(np.count_nonzero(~private))
    cost.ptes_written += len(mapped)
    part.ptes[present] = mapped
    child.table.write(part)


def _copies(frames: Frames, ptes: Ptes, cost: ForkCost) -> Ptes:
    """Copies the frames of the PTEs, and returns PTEs of the copies."""
    copies: list[int] = []
    try:
        for frame in (frames.first + frames.indices(ptes)).tolist():
            copies.append(frames.allocate(Kind.PRIVATE))
            frames.ram.copy_frame(frame, copies[-1])
    except OutOfMemory:
        for copy in copies:
            frames.release(copy)
        raise
    cost.frames_copied += len(copies)
    cost.eager_copies += len(copies)
    flags = ptes & ~np.uint64(PPN_MASK << PPN_SHIFT)
    return flags | np.array(copies, np.uint64) << np.uint64(PPN_SHIFT)


POLICIES: dict[str, Policy] = {"cow": cow, "eager": eager, "shared-tables": shared_tables}
