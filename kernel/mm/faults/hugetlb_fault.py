"""Page faults of mappings with MAP_HUGETLB (hugetlb_no_page() and hugetlb_wp() of Linux)."""

from __future__ import annotations

from emu.machine.cause import Access
from emu.machine.pte import HUGE_FRAMES, HUGE_SIZE, A, D, W, make_pte, ppn
from kernel.mm.address_space import AddressSpace
from kernel.mm.backing.hugetlb_memory import HugetlbMemory
from kernel.mm.faults.cow_break import read_only_flags
from kernel.mm.mappings.vma import Vma
from kernel.mm.outcome import Outcome
from kernel.mm.page_tables.page_table import COW


def map_from_pool(
    space: AddressSpace, vma: Vma, memory: HugetlbMemory, page: int, access: Access
) -> Outcome:
    """Maps the huge page of ``page``; a bus error if the pool has none for it."""
    start = page & -HUGE_SIZE
    space.table.make_middle(start)
    dirty = D if access is Access.STORE else 0
    index = vma.index_of(start)
    if vma.shared:
        run, flags, outcome = memory.shared_run(index), vma.pte_flags, Outcome.SHARED
    elif (space, index) in memory.lost:
        return Outcome.BUS_ADRERR
    else:
        run, outcome = memory.take(index, space), Outcome.ZERO_FILLED
        flags = vma.pte_flags if dirty else read_only_flags(vma)
        vma.has_private = True
    if run is None:
        return Outcome.BUS_ADRERR
    space.table.link_huge(start, make_pte(run, flags | dirty))
    return outcome


def store_to_pool_page(space: AddressSpace, vma: Vma, memory: HugetlbMemory, page: int) -> Outcome:
    """Handles a store to a huge page without W, which is never split."""
    start = page & -HUGE_SIZE
    run = ppn(space.table.pte(start))
    if vma.shared:
        space.table.set_huge(start, space.table.pte(start) | W | A | D)
        return Outcome.SHARED
    if _is_sole_user(space, run):
        space.table.set_huge(start, space.table.pte(start) & ~COW | W | A | D)
        return Outcome.REUSED
    copy = memory.pool.take(reserved=False)
    if copy is None:
        return _take_from_children(space, vma, memory, start)
    space.frames.ram.copy_frames(run, copy, HUGE_FRAMES)
    space.table.set_huge(start, make_pte(copy, vma.pte_flags | D))
    space.frames.release_run(run)
    space.flush_tlb()
    return Outcome.COPIED


def discard_from_pool(
    space: AddressSpace, vma: Vma, memory: HugetlbMemory, start: int, end: int
) -> None:
    """Releases the huge pages of [start, end); the owner's reservation is as before."""
    freed = [
        vma.index_of(va)
        for va, pte in space.table.huge_pages(start, end)
        if _is_sole_user(space, ppn(pte))
    ]
    if start < end:
        space.zap(start, end)
    for index in freed:
        memory.restore(index, space)


def _is_sole_user(space: AddressSpace, run: int) -> bool:
    return space.frames.count(run) == 2  # the other one is the pool


def _take_from_children(
    space: AddressSpace, vma: Vma, memory: HugetlbMemory, start: int
) -> Outcome:
    """Unmaps the page in all other processes, so that the mapping's owner keeps it; any of them
    gets a bus error at its next access (unmap_ref_private() of Linux).
    """
    if memory.owner is not space:
        return Outcome.BUS_ADRERR
    index, run = vma.index_of(start), ppn(space.table.pte(start))
    for other in memory.pool.spaces():
        assert isinstance(other, AddressSpace)
        if other is not space and other.release_huge_page(run):
            memory.lost.add((other, index))
    space.table.set_huge(start, space.table.pte(start) & ~COW | W | A | D)
    return Outcome.REUSED
