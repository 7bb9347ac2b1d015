"""Advice for reclaim: MADV_FREE cleans pages, MADV_COLD makes them old, MADV_PAGEOUT unmaps them.

A private anonymous page with D clear is one that MADV_FREE gave to the kernel: its content may be
lost until the next store, which sets D. It is taken when memory is short.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from emu.machine.pte import PAGE_SHIFT, PAGE_SIZE, A, D, V, ppn
from kernel.base.errors import OutOfMemory
from kernel.base.lazy_numpy import Bytes, Indices, Marks, Ptes, np
from kernel.mm.address_space import AddressSpace
from kernel.mm.mappings.vma import USER_END
from kernel.mm.physical.frames import Kind

_PRIVATE, _CACHE, _ZERO = int(Kind.PRIVATE), int(Kind.CACHE), int(Kind.ZERO)


def free_lazily(space: AddressSpace, start: int, end: int) -> None:
    """Clears A and D of the private pages of [start, end): they may be taken until a store."""
    _prepare(space, start, end)
    for va, pte in space.table.huge_pages(start, end):
        if space.frames.kind(ppn(pte)) is Kind.PRIVATE:
            space.table.set_huge(va, pte & ~(A | D))
    for _, ptes in space.table.slices(start, end):
        private = (ptes & V != 0) & (_kinds(space, ptes) == _PRIVATE)
        ptes[private] &= ~np.uint64(A | D)
    space.flush_tlb()


def make_old(space: AddressSpace, start: int, end: int) -> None:
    """Clears A of the pages of [start, end) that no other process maps."""
    _prepare(space, start, end)
    for va, pte in space.table.huge_pages(start, end):
        if space.frames.is_run_unshared(ppn(pte)):
            space.table.set_huge(va, pte & ~A)
    for _, ptes in space.table.slices(start, end):
        ptes[_is_sole_user(space, ptes)] &= ~np.uint64(A)
    space.flush_tlb()


def unmap_cached(space: AddressSpace, start: int, end: int) -> None:
    """Unmaps the pages of a file or of shared memory that no other process maps; they stay cached.

    Private pages stay, since there is no swap.
    """
    found = []
    for first, ptes in space.table.contents(start, end):
        cached = _is_sole_user(space, ptes) & (_kinds(space, ptes) == _CACHE)
        found.append(first + (np.flatnonzero(cached) << PAGE_SHIFT))
    for low, high in _ranges(found):
        space.zap(low, high)


def take_lazily_freed(space: AddressSpace) -> bool:
    """Releases the pages that MADV_FREE gave; returns whether there were any.

    Those in a leaf table shared with other processes stay if there is no frame to copy the table.
    """
    found = [
        first + (np.flatnonzero(_is_free(space, ptes)) << PAGE_SHIFT)
        for first, ptes in space.table.contents(0, USER_END)
    ]
    resident = space.resident_pages()
    for low, high in _ranges(found):
        with suppress(OutOfMemory):
            space.zap(low, high)
    return space.resident_pages() < resident


def _prepare(space: AddressSpace, start: int, end: int) -> None:
    space.table.own_all(start, end)
    space.split_huge(start, end)


def _kinds(space: AddressSpace, ptes: Ptes) -> Bytes:
    """Kind of each PTE's frame; meaningless for an invalid one."""
    kinds: Bytes = space.frames.kinds[_frames(space, ptes)]
    return kinds


def _frames(space: AddressSpace, ptes: Ptes) -> Indices:
    """Index of each PTE's frame; any index for an invalid one."""
    return space.frames.indices(ptes) % space.frames.total


def _is_sole_user(space: AddressSpace, ptes: Ptes) -> Marks:
    """Marks the pages whose frame has no other user; the zero frame has none."""
    kinds = _kinds(space, ptes)
    counts = space.frames.counts[_frames(space, ptes)]
    sole: Marks = (ptes & V != 0) & (kinds != _ZERO) & (counts - (kinds == _CACHE) == 1)
    return sole


def _is_free(space: AddressSpace, ptes: Ptes) -> Marks:
    private = _is_sole_user(space, ptes) & (_kinds(space, ptes) == _PRIVATE)
    free: Marks = private & (ptes & D == 0)
    return free


def _ranges(found: list[Indices]) -> Iterator[tuple[int, int]]:
    """The ranges of addresses that the pages make up."""
    if not found:
        return
    pages = np.sort(np.concatenate(found))
    if not len(pages):
        return
    breaks = np.flatnonzero(np.diff(pages) != PAGE_SIZE)
    firsts = [0, *(breaks + 1).tolist()]
    lasts = [*breaks.tolist(), len(pages) - 1]
    for first, last in zip(firsts, lasts, strict=True):
        yield int(pages[first]), int(pages[last]) + PAGE_SIZE
