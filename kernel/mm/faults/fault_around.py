"""Fault-around: a read fault on a file or on shared memory also maps the pages around that are in
the page cache, as do_fault_around() of Linux.
"""

from __future__ import annotations

from typing import Final

from emu.machine.pte import PAGE_SHIFT, PAGE_SIZE, W, make_pte, ppn
from kernel.mm.address_space import AddressSpace
from kernel.mm.backing.backing import Backing
from kernel.mm.faults.cow_break import read_only_flags
from kernel.mm.mappings.vma import Vma
from kernel.mm.page_tables.leaf_tables import LEAF_SPAN

DEFAULT_SIZE: Final = 64 << 10
"""Bytes of a window (Linux's fault_around_bytes)."""


def is_window(size: int) -> bool:
    """Returns whether a window may have ``size`` bytes: a power of two, from a page to 2 MiB."""
    return PAGE_SIZE <= size <= LEAF_SPAN and not size & size - 1


def read_flags(vma: Vma, backing: Backing) -> int:
    """PTE flags of a page of the backing that a read fault maps."""
    if not vma.shared:
        return read_only_flags(vma)
    if backing.needs_write_notice:
        return vma.pte_flags & ~W  # so that the first store faults
    return vma.pte_flags


def window(space: AddressSpace, vma: Vma, page: int) -> tuple[int, int]:
    """The range of addresses around ``page``, clipped to the VMA and to the leaf table."""
    size = space.fault_around
    start = max(page & -size, vma.start)
    return start, min(start + size, vma.end, (page & -LEAF_SPAN) + LEAF_SPAN)


def map_around(space: AddressSpace, page: int) -> list[tuple[int, int]]:
    """Maps the cached pages around ``page``, at which a read fault was: (address, PTE) each.

    Allocates nothing: the leaf table is there.
    """
    vma = space.find(page)
    assert vma is not None
    assert vma.backing is not None
    if vma.in_huge_pages:
        return []
    start, end = window(space, vma, page)
    first = vma.index_of(start)
    flags = read_flags(vma, vma.backing)
    base = start - (first << PAGE_SHIFT)
    cached = vma.backing.cached(first, first + ((end - start) >> PAGE_SHIFT))
    mapped = space.table.fill(
        [(base + (index << PAGE_SHIFT), make_pte(frame, flags)) for index, frame in cached]
    )
    space.frames.share_each(ppn(pte) for _, pte in mapped)
    space.resident_bound += len(mapped)
    return mapped
