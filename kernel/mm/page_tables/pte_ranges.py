"""Updates of PTEs in ranges: permissions after mprotect(2), moves by mremap(2)."""

from __future__ import annotations

from collections.abc import Iterator

from emu.machine.pte import HUGE_SIZE, PAGE_SHIFT, D, R, U, V, W, X, ppn
from kernel.base.lazy_numpy import Marks, Ptes, np
from kernel.mm.mappings.vma import Vma
from kernel.mm.page_tables.leaf_tables import LEAF_SPAN
from kernel.mm.page_tables.page_table import CLEAN, COW, PageTable
from kernel.mm.physical.frame_runs import FORKED
from kernel.mm.physical.frames import Frames, Kind


def apply(table: PageTable, frames: Frames, vma: Vma) -> None:
    """Sets the permissions of a VMA's present pages; the tables must not be shared.

    W is set only where the frame is exclusive; otherwise the page becomes CoW. Huge pages must not
    reach beyond the VMA.
    """
    for va, pte in table.huge_pages(vma.start, vma.end):
        table.set_huge(va, _of_huge_page(frames, vma, pte))
    if table.is_short(vma.start, vma.end):
        for va, pte in table.small_pages(vma.start, vma.end):
            table.set_pte(va, _of_page(frames, vma, pte))
        return
    for _, ptes in table.slices(vma.start, vma.end):
        present = (ptes & V) != 0
        ptes[present] = _of_pages(frames, vma, ptes)[present]


def _of_page(frames: Frames, vma: Vma, pte: int) -> int:
    changed = pte & ~(R | W | X | U | COW) | vma.pte_flags & (R | X | U)
    if not vma.writable:
        return changed
    if vma.shared:
        if pte & CLEAN:
            return changed
        return changed | W if pte & D or not _needs_notice(vma) else changed
    frame = ppn(pte)
    sole = frames.kind(frame) is Kind.PRIVATE and frames.is_exclusive(frame) and not pte & CLEAN
    return changed | (W if sole else COW)


def _of_huge_page(frames: Frames, vma: Vma, pte: int) -> int:
    changed = pte & ~(R | W | X | U | COW) | vma.pte_flags & (R | X | U)
    if not vma.writable:
        return changed
    if vma.shared:
        return changed | W
    zero = ppn(pte) == frames.huge_zero
    sole = not zero and not pte & CLEAN and frames.is_run_exclusive(ppn(pte))
    return changed | (W if sole else COW)


def _of_pages(frames: Frames, vma: Vma, ptes: Ptes) -> Ptes:
    """Does the same for many PTEs; results of invalid ones are meaningless."""
    changed = ptes & ~np.uint64(R | W | X | U | COW) | np.uint64(vma.pte_flags & (R | X | U))
    if vma.writable:
        otherwise = 0 if vma.shared else COW
        changed |= np.where(_writable_in_place(frames, vma, ptes), W, otherwise).astype(np.uint64)
    return changed


def _writable_in_place(frames: Frames, vma: Vma, ptes: Ptes) -> Marks:
    """Marks the pages that need no copy before a store."""
    if vma.shared:
        unnoticed = ((ptes & D) != 0) | (not _needs_notice(vma))
        dirty: Marks = unnoticed & ((ptes & CLEAN) == 0)
        return dirty
    indices = frames.indices(ptes) % frames.total
    exclusive: Marks = (frames.counts[indices] == 1) & ((frames.marks[indices] & FORKED) == 0)
    private: Marks = frames.kinds[indices] == Kind.PRIVATE
    stored = (ptes & CLEAN) == 0
    writable: Marks = exclusive & private & stored
    return writable


def _needs_notice(vma: Vma) -> bool:
    return vma.backing is not None and vma.backing.needs_write_notice


def make_room(table: PageTable, start: int, end: int, to: int) -> list[int]:
    """Allocates and unshares the tables needed to move [start, end) to ``to``. Splits the huge
    pages that cannot be moved whole, and returns their addresses.

    On :class:`kernel.base.errors.OutOfMemory` the mappings are unchanged.
    """
    table.own_all(start, end)
    split = []
    for va, _ in table.huge_pages(start, end):
        if not (to - start) % HUGE_SIZE and start <= va and va + HUGE_SIZE <= end:
            table.make_middle(va - start + to)
        else:
            table.split(va)
            split.append(va)
    if table.is_short(start, end):
        for va, _ in table.small_pages(start, end):
            table.leaf(va - start + to)
        return split
    for at, _ in _pieces(table, start, end, to):
        table.leaf(at)
    return split


def move(table: PageTable, start: int, end: int, to: int) -> None:
    """Moves the PTEs of [start, end) to a free range whose tables exist."""
    for va, _ in table.huge_pages(start, end):
        table.move_huge(va, va - start + to)
    if table.is_short(start, end):
        for va, pte in table.pages(start, end):
            table.set_pte(va, 0)
            table.set_pte(va - start + to, pte)
        return
    for at, ptes in _pieces(table, start, end, to):
        table.entries(at, len(ptes))[:] = ptes
        ptes[:] = 0


def _pieces(table: PageTable, start: int, end: int, to: int) -> Iterator[tuple[int, Ptes]]:
    """Yields (address at ``to``, view of PTEs) of parts that move from one leaf table to one other.

    The PTEs of a leaf table go to two when the ranges start at different offsets in theirs.
    """
    for va, ptes in table.slices(start, end):
        at = va - start + to
        cut = -at % LEAF_SPAN >> PAGE_SHIFT
        for first, piece in ((0, ptes[:cut]), (cut, ptes[cut:])):
            if (piece & V).any():
                yield at + (first << PAGE_SHIFT), piece
