"""Sums over an address space: the Vm and Rss lines of /proc/PID/status."""

from __future__ import annotations

from collections.abc import Callable

from emu.machine.pte import HUGE_FRAMES, PAGE_SHIFT, PAGE_SIZE, ppn
from kernel.base.lazy_numpy import np
from kernel.base.memory_figures import MemoryFigures
from kernel.mm.address_space import AddressSpace
from kernel.mm.mappings.vma import USER_END, Prot, Vma, page_down, page_up
from kernel.mm.physical.frames import Kind
from kernel.mm.usage.page_counts import is_shmem, resident_ptes

_PRIVATE = int(Kind.PRIVATE)


def figures(space: AddressSpace) -> MemoryFigures:
    anonymous, in_backings = _resident(space, 0, USER_END)
    shmem = sum(_resident(space, vma.start, vma.end)[1] for vma in space.vmas if is_shmem(vma))
    image = space.image
    code = page_up(image.code_end) - page_down(image.code_start) >> PAGE_SHIFT
    executable = _pages(space, lambda vma: bool(vma.prot & Prot.EXEC and not vma.prot & Prot.WRITE))
    return MemoryFigures(
        virtual=space.virtual_pages(),
        virtual_peak=max(space.virtual_peak, space.virtual_pages()),
        anonymous=anonymous,
        file=in_backings - shmem,
        shmem=shmem,
        resident_peak=space.peak_resident(),
        data=space.data_bytes // PAGE_SIZE,
        stack=_pages(space, lambda vma: vma.grows_down),
        code=code,
        libraries=max(0, executable - code),
        tables=space.table.table_count - 1,  # the root is not counted
        locked=space.locked_bytes // PAGE_SIZE,
        hugetlb=_hugetlb(space),
    )


def _resident(space: AddressSpace, start: int, end: int) -> tuple[int, int]:
    """Pages of private memory, and pages of backings."""
    ptes = resident_ptes(space, start, end)
    kinds = space.frames.kinds[space.frames.indices(ptes)]
    anonymous = int(np.count_nonzero(kinds == _PRIVATE))
    return anonymous, len(ptes) - anonymous


def _hugetlb(space: AddressSpace) -> int:
    kinds = (space.frames.kind(ppn(pte)) for _, pte in space.table.huge_pages(0, USER_END))
    return HUGE_FRAMES * sum(1 for kind in kinds if kind is Kind.HUGETLB)


def _pages(space: AddressSpace, counts: Callable[[Vma], bool]) -> int:
    return sum(vma.length for vma in space.vmas if counts(vma)) // PAGE_SIZE
