"""Page faults that map a huge page, and stores to one that is shared.

A function that returns None has mapped nothing, or has split the huge page: the fault goes on with
a page of 4 KiB.
"""

from __future__ import annotations

from emu.machine.cause import Access
from emu.machine.pte import FLAGS, HUGE_FRAMES, HUGE_SIZE, A, D, W, make_pte, ppn
from kernel.base.errors import OutOfMemory
from kernel.mm.address_space import AddressSpace
from kernel.mm.backing.hugetlb_memory import HugetlbMemory
from kernel.mm.faults.cow_break import read_only_flags
from kernel.mm.faults.hugetlb_fault import store_to_pool_page
from kernel.mm.mappings.huge_policy import ThpCow
from kernel.mm.mappings.vma import Vma
from kernel.mm.outcome import Outcome
from kernel.mm.page_tables.page_table import CLEAN, COW
from kernel.mm.physical.frames import Kind
from kernel.mm.physical.huge_zero_page import share_huge_zero


def map_huge(space: AddressSpace, vma: Vma, page: int, access: Access) -> Outcome | None:
    """Maps the 2 MiB around ``page``, where the mapping and the page table allow it."""
    start = page & -HUGE_SIZE
    frames, table = space.frames, space.table
    if not space.huge_pages.fit(vma, page) or not table.may_be_huge(start):
        return None
    if not frames.may_have_run():
        frames.huge_events.fallbacks += 1
        return None
    table.prepare_huge(start)
    try:
        if access is Access.STORE:
            pte = make_pte(frames.allocate_zeroed_run(Kind.PRIVATE), vma.pte_flags | D)
        else:
            pte = make_pte(share_huge_zero(frames), read_only_flags(vma))
    except OutOfMemory:
        frames.huge_events.fallbacks += 1
        table.cancel_huge(start)
        return None
    table.link_huge(start, pte)
    vma.has_private = True
    if access is not Access.STORE:
        return Outcome.ZERO_SHARED
    space.resident_bound += HUGE_FRAMES
    frames.huge_events.mapped += 1
    return Outcome.ZERO_FILLED


def store_to_huge(space: AddressSpace, vma: Vma, page: int, pte: int) -> Outcome | None:
    """Handles a store to a huge page that is CoW; ``pte`` is that of ``page`` in it."""
    if isinstance(vma.backing, HugetlbMemory):
        return store_to_pool_page(space, vma, vma.backing, page)
    start = page & -HUGE_SIZE
    run = ppn(space.table.pte(start))
    if run == space.frames.huge_zero:
        return _replace_zeroes(space, vma, start, run)
    if space.frames.is_run_unshared(run):
        space.frames.make_run_exclusive(run)
        space.table.set_huge(start, make_pte(run, pte & FLAGS & ~(COW | CLEAN) | W | A | D))
        return Outcome.REUSED
    if space.huge_pages.copied is ThpCow.HUGE and _copy_huge(space, vma, start, run):
        return Outcome.COPIED
    space.table.split(start)
    return None


def _replace_zeroes(space: AddressSpace, vma: Vma, start: int, zeroes: int) -> Outcome | None:
    frames = space.frames
    try:
        run = frames.allocate_zeroed_run(Kind.PRIVATE)
    except OutOfMemory:
        frames.huge_events.fallbacks += 1
        space.table.split(start)
        space.flush_tlb()
        return None
    space.table.set_huge(start, make_pte(run, vma.pte_flags | D))
    space.resident_bound += HUGE_FRAMES
    frames.huge_events.mapped += 1
    frames.release_run(zeroes)
    space.flush_tlb()  # it may hold other pages of the old run
    return Outcome.ZERO_FILLED


def _copy_huge(space: AddressSpace, vma: Vma, start: int, shared: int) -> bool:
    """Copies a shared huge page as a whole; returns False when there is no run for it."""
    frames = space.frames
    try:
        copy = frames.allocate_run(Kind.PRIVATE)
    except OutOfMemory:
        frames.huge_events.fallbacks += 1
        return False
    frames.huge_events.mapped += 1
    frames.ram.copy_frames(shared, copy, HUGE_FRAMES)
    space.table.set_huge(start, make_pte(copy, vma.pte_flags | D))
    frames.release_run(shared)
    space.flush_tlb()
    return True
