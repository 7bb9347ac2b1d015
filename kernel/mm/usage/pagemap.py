"""/proc/PID/pagemap: eight bytes for each page (Documentation/admin-guide/mm/pagemap.rst)."""

from __future__ import annotations

from emu.machine.pte import PAGE_SHIFT, PPN_MASK, PPN_SHIFT, D, V
from kernel.base.lazy_numpy import Ptes, np
from kernel.mm.address_space import AddressSpace
from kernel.mm.mappings.vma import USER_END
from kernel.mm.page_tables.page_table import CLEAN
from kernel.mm.physical.frames import Kind
from kernel.mm.usage.page_users import PageUsers

ENTRY = 8
PAGES = USER_END >> PAGE_SHIFT
_SOFT_DIRTY, _EXCLUSIVE, _FILE, _PRESENT = 1 << 55, 1 << 56, 1 << 61, 1 << 63
_CACHE, _ZERO = int(Kind.CACHE), int(Kind.ZERO)


def pagemap(space: AddressSpace, first: int, count: int, *, expose_frames: bool) -> bytes:
    """The entries of ``count`` pages from page number ``first`` on; fewer at the end.

    The frame number is 0 unless ``expose_frames``, as for a reader without privileges.
    """
    start, end = first << PAGE_SHIFT, min(first + count, PAGES) << PAGE_SHIFT
    if start >= end:
        return b""
    entries = np.zeros(end - start >> PAGE_SHIFT, np.uint64)
    for va, ptes in space.table.contents(start, end):
        at = va - start >> PAGE_SHIFT
        entries[at : at + len(ptes)] = _entries(space, ptes, expose_frames)
    for vma in space.overlapping(start, end):
        if vma.soft_dirty:
            low, high = max(start, vma.start), min(end, vma.end)
            entries[low - start >> PAGE_SHIFT : high - start >> PAGE_SHIFT] |= np.uint64(
                _SOFT_DIRTY
            )
    return entries.tobytes()


def _entries(space: AddressSpace, ptes: Ptes, expose_frames: bool) -> Ptes:
    entries = np.zeros(len(ptes), np.uint64)
    present = np.flatnonzero((ptes & V) != 0)
    mapped = ptes[present]
    indices = space.frames.indices(mapped)
    kinds = space.frames.kinds[indices]
    huge_zeroes = (kinds == _ZERO) & (indices != space.frames.zero - space.frames.first)
    users = PageUsers(space.frames).of(mapped)
    bits = np.full(len(mapped), _PRESENT, np.uint64)
    for marks, bit in (
        (((mapped & D) != 0) & ((mapped & CLEAN) == 0), _SOFT_DIRTY),
        ((users == 1) & (kinds != _ZERO), _EXCLUSIVE),
        ((kinds == _CACHE) | huge_zeroes, _FILE),  # Linux: neither is anonymous
    ):
        bits[marks] |= np.uint64(bit)
    if expose_frames:
        bits |= (mapped >> np.uint64(PPN_SHIFT)) & np.uint64(PPN_MASK)
    entries[present] = bits
    return entries
