"""Counts of a VMA's resident pages, as smaps sums them (Linux's fs/proc/task_mmu.c)."""

from __future__ import annotations

from dataclasses import dataclass, fields

from emu.machine.pte import HUGE_FRAMES, PAGE_SHIFT, A, D, V, ppn
from kernel.base.lazy_numpy import Marks, Ptes, np
from kernel.mm.address_space import AddressSpace
from kernel.mm.mappings.vma import Vma
from kernel.mm.physical.frames import Kind
from kernel.mm.usage.page_users import PageUsers

PSS_SHIFT = 12
"""Bits of a byte's fraction in a proportional share."""
_PAGE_SHARE = 1 << (PAGE_SHIFT + PSS_SHIFT)
_PRIVATE, _CACHE = int(Kind.PRIVATE), int(Kind.CACHE)


@dataclass(slots=True)
class PageCounts:
    """Pages, and proportional shares (``pss``) in 4096ths of a byte.

    Linux rounds a page's share down to such a fraction before it adds the shares.
    """

    resident: int = 0
    pss: int = 0
    pss_dirty: int = 0
    pss_anon: int = 0
    pss_file: int = 0
    pss_shmem: int = 0
    pss_locked: int = 0
    shared_clean: int = 0
    shared_dirty: int = 0
    private_clean: int = 0
    private_dirty: int = 0
    referenced: int = 0
    anonymous: int = 0
    huge: int = 0
    """Pages that huge pages map."""
    lazily_freed: int = 0
    """Pages that MADV_FREE gave to the kernel, and that were not stored to since."""
    shared_hugetlb: int = 0
    private_hugetlb: int = 0

    def add(self, other: PageCounts) -> None:
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


def resident_ptes(space: AddressSpace, start: int, end: int) -> Ptes:
    """A copy of the PTEs of [start, end), but not of those that map zeroes or pages of the pool."""
    found = [np.empty(0, np.uint64)]
    found += [ptes[(ptes & V) != 0] for _, ptes in space.table.contents(start, end)]
    mapped = np.concatenate(found)
    kinds = space.frames.kinds[space.frames.indices(mapped)]
    resident: Ptes = mapped[(kinds == _PRIVATE) | (kinds == _CACHE)]
    return resident


def count_pages(space: AddressSpace, vma: Vma, users: PageUsers) -> PageCounts:
    if vma.in_huge_pages:
        return _count_pool_pages(space, vma)
    ptes = resident_ptes(space, vma.start, vma.end)
    if not len(ptes):
        return PageCounts()
    others = users.of(ptes)
    shares = _PAGE_SHARE // np.maximum(others, 1)
    anonymous = space.frames.kinds[space.frames.indices(ptes)] == _PRIVATE
    dirty = ((ptes & D) != 0) | _dirty_in_backing(space, vma, ptes)
    shared = others > 1
    in_backing = int(shares[~anonymous].sum())
    pss = int(shares.sum())
    return PageCounts(
        resident=len(ptes),
        pss=pss,
        pss_dirty=int(shares[dirty].sum()),
        pss_anon=pss - in_backing,
        pss_file=0 if is_shmem(vma) else in_backing,
        pss_shmem=in_backing if is_shmem(vma) else 0,
        pss_locked=pss if vma.locked else 0,
        shared_clean=_count(shared & ~dirty),
        shared_dirty=_count(shared & dirty),
        private_clean=_count(~shared & ~dirty),
        private_dirty=_count(~shared & dirty),
        referenced=_count((ptes & A) != 0),
        anonymous=_count(anonymous),
        lazily_freed=_count(anonymous & ~dirty),
        huge=_huge_resident(space, vma),
    )


def _huge_resident(space: AddressSpace, vma: Vma) -> int:
    return HUGE_FRAMES * len(space.table.resident_huge(vma.start, vma.end))


def _count_pool_pages(space: AddressSpace, vma: Vma) -> PageCounts:
    """The counts of a mapping with MAP_HUGETLB, whose pages are not resident ones."""
    counts = PageCounts()
    for _, pte in space.table.huge_pages(vma.start, vma.end):
        if space.frames.count(ppn(pte)) > 2:  # the pool, and this page table
            counts.shared_hugetlb += HUGE_FRAMES
        else:
            counts.private_hugetlb += HUGE_FRAMES
    return counts


def is_shmem(vma: Vma) -> bool:
    """True when its pages that no process copied are shared memory or of a file in memory."""
    return vma.backing is not None and vma.backing.in_memory


def _dirty_in_backing(space: AddressSpace, vma: Vma, ptes: Ptes) -> Marks:
    """Marks the pages of the backing that were modified otherwise than through these PTEs."""
    backing = vma.backing
    if backing is None or not backing.dirty:
        return np.zeros(len(ptes), np.bool_)
    held = backing.held()
    frames = [held[index] for index in backing.dirty if index in held]
    marks: Marks = np.isin(space.frames.indices(ptes) + space.frames.first, frames)
    return marks


def _count(marks: Marks) -> int:
    return int(np.count_nonzero(marks))
