"""/proc/PID/clear_refs: clears the marks of pages that were accessed or stored to."""

from __future__ import annotations

from emu.machine.pte import A, D, W
from kernel.base.errno import EINVAL
from kernel.base.errors import Errno
from kernel.base.lazy_numpy import Ptes, np
from kernel.mm.address_space import AddressSpace
from kernel.mm.backing.file_pages import mapped_file
from kernel.mm.mappings.vma import Vma
from kernel.mm.page_tables.page_table import CLEAN, COW

_ALL, _ANONYMOUS, _MAPPED, _SOFT_DIRTY, _PEAK = range(1, 6)


def clear_refs(space: AddressSpace, what: int) -> None:
    """Clears the marks that ``what``, written to clear_refs, selects; EINVAL for others."""
    if not _ALL <= what <= _PEAK:
        raise Errno(EINVAL)
    if what == _PEAK:
        space.reset_peak()
        return
    for vma in space.vmas:
        if vma.in_huge_pages:
            continue  # Linux does not track them
        if what == _SOFT_DIRTY:
            _forget_stores(space, vma)
        elif what == _ALL or (what == _MAPPED) == _is_mapped(vma):
            for va, pte in space.table.huge_pages(vma.start, vma.end):
                space.table.set_huge(va, pte & ~A)
            for _, ptes in space.table.slices(vma.start, vma.end):
                ptes[:] = ptes & ~np.uint64(A)  # also for other users of a shared leaf table
    space.flush_tlb()


def _is_mapped(vma: Vma) -> bool:
    """True for a mapping of a file, which shared anonymous memory is too."""
    return mapped_file(vma.backing) is not None or vma.shared


def _forget_stores(space: AddressSpace, vma: Vma) -> None:
    """Makes the pages read-only, so that the next store to each is a fault that marks it anew."""
    space.table.own_all(vma.start, vma.end)
    vma.soft_dirty = False
    for va, pte in space.table.huge_pages(vma.start, vma.end):
        space.table.set_huge(va, int(_cleaned(vma, np.array([pte], np.uint64))[0]))
    for _, ptes in space.table.slices(vma.start, vma.end):
        ptes[:] = _cleaned(vma, ptes)


def _cleaned(vma: Vma, ptes: Ptes) -> Ptes:
    writable = (ptes & W) != 0
    changed = ptes & ~np.uint64(W)
    changed[(ptes & D) != 0] |= np.uint64(CLEAN)
    if not vma.shared:
        changed[writable] |= np.uint64(COW)
    return changed
