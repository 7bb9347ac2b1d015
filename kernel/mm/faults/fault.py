"""The page-fault handler: zero fill, file pages, copy-on-write, stack growth, failures.

``handle`` resolves every fault: of a user's instruction, and of the kernel's own accesses to user
memory in system calls. It returns a record of the resolution.
"""

from __future__ import annotations

from typing import Final

from emu.machine.cause import Access
from emu.machine.pte import PAGE_MASK, PAGE_SIZE, A, D, R, U, V, W, X, make_pte, ppn
from kernel.base.errors import Errno, OutOfMemory
from kernel.mm.address_space import UNOBSERVED, AddressSpace
from kernel.mm.backing.hugetlb_memory import HugetlbMemory
from kernel.mm.faults.cow_break import break_cow, copy_privately, map_zeroed, read_only_flags
from kernel.mm.faults.fault_around import map_around, read_flags
from kernel.mm.faults.huge_fault import map_huge, store_to_huge
from kernel.mm.faults.hugetlb_fault import map_from_pool
from kernel.mm.mappings.vma import LOWEST, STACK_GUARD, USER_END, Vma
from kernel.mm.outcome import Outcome
from kernel.mm.page_tables.page_table import CLEAN
from kernel.mm.resolution import Resolution

_NEEDED: Final = (U | X, U | R, U | W)
"""PTE flags that each access needs; by number, as hashing an enum's member calls Python code."""
_AROUND: Final = (Outcome.FILE, Outcome.SHARED, Outcome.BUS_ADRERR)
"""Outcomes of a read fault that maps the pages around; as in Linux, which does that first, also if
the page itself cannot be mapped."""


def handle(space: AddressSpace, va: int, access: Access) -> Resolution:
    """Makes the page of ``va`` accessible for ``access``, or returns why that failed."""
    page = va & ~PAGE_MASK
    if space.observer is not UNOBSERVED:
        space.observer.faulting(space, page)
    before = space.table.pte(page) if va < USER_END else 0
    count = space.frames.count(ppn(before)) if before & V else 0
    table_copied = middle_copied = False
    was_huge = bool(space.table.huge) and space.table.is_huge(page)
    try:
        if space.table.shared_middles:
            middle_copied = space.table.own_middle(page)
        table_copied = space.table.own(page)
        if table_copied and count:
            count = space.frames.count(ppn(before))
        outcome = _resolve(space, page, access, before)
    except OutOfMemory:
        outcome = Outcome.OUT_OF_MEMORY
    except Errno:
        outcome = Outcome.BUS_ADRERR  # the page of the file cannot be read
    resolution = Resolution(outcome, va, access)
    resolution.failed = outcome.is_failure
    resolution.pte_before = before
    resolution.pte_after = before if resolution.failed else space.table.pte(page)
    resolution.count_before = count
    resolution.table_copied = table_copied
    resolution.middle_copied = middle_copied
    if was_huge or space.table.huge:
        resolution.huge = space.table.is_huge(page) and not resolution.failed
        resolution.split = was_huge and not space.table.is_huge(page)
    if access is not Access.STORE and outcome in _AROUND and space.fault_around > PAGE_SIZE:
        resolution.around = map_around(space, page)
    return resolution


def _resolve(space: AddressSpace, page: int, access: Access, pte: int) -> Outcome:
    if space.pager is not None:
        outcome = space.pager.resolve(space, page, access, pte)
        if outcome is not None:
            space.resident_bound += 1
            return outcome
    grown = False
    vma = space.find(page)
    if vma is None:
        vma = _grow_stack(space, page)
        if vma is None:
            return Outcome.SEGV_MAPERR
        grown = True
    allowed, needed = vma.pte_flags, _NEEDED[access]
    if allowed & needed != needed:
        return Outcome.SEGV_ACCERR
    if pte & V:
        return _present(space, vma, page, access, pte)
    if vma.backing is not None:
        return _from_backing(space, vma, page, access)
    if space.huge_faults and (outcome := map_huge(space, vma, page, access)) is not None:
        return outcome
    if access is not Access.STORE and not grown:
        return _share_zero(space, vma, page)
    map_zeroed(space, vma, page)
    return Outcome.STACK_GROWN if grown else Outcome.ZERO_FILLED


def _grow_stack(space: AddressSpace, page: int) -> Vma | None:
    """Extends the stack's VMA to ``page``; None when there is none or its limit forbids it."""
    vma = space.above(page)
    if vma is None or not vma.grows_down or vma.end - page > space.stack_limit or page < LOWEST:
        return None
    size = vma.start - page
    if not space.may_expand(size, is_data=False) or (vma.locked and not space.may_lock(size)):
        return None
    below = space.overlapping(max(page - STACK_GUARD, 0), page)
    if any(other.prot and not other.grows_down for other in below):
        return None
    space.grow(vma, page)
    return vma


def _share_zero(space: AddressSpace, vma: Vma, page: int) -> Outcome:
    zero = space.frames.zero
    space.table.set_pte(page, make_pte(zero, read_only_flags(vma)))
    space.frames.share(zero)
    return Outcome.ZERO_SHARED


def _from_backing(space: AddressSpace, vma: Vma, page: int, access: Access) -> Outcome:
    backing = vma.backing
    assert backing is not None
    if isinstance(backing, HugetlbMemory):
        return map_from_pool(space, vma, backing, page, access)
    index = vma.index_of(page)
    # The table first: its allocation may reclaim unused frames of the page cache.
    space.table.leaf(page)
    frame = backing.frame(index)
    if frame is None:
        return Outcome.BUS_ADRERR
    space.resident_bound += 1
    if access is not Access.STORE:
        space.table.set_pte(page, make_pte(frame, read_flags(vma, backing)))
        space.frames.share(frame)
        return Outcome.SHARED if vma.shared else Outcome.FILE
    if vma.shared:
        backing.stored_to(index)
        space.table.set_pte(page, make_pte(frame, vma.pte_flags | D))
        space.frames.share(frame)
        return Outcome.SHARED
    space.frames.share(frame)  # pinned: the copy may reclaim frames of the page cache
    try:
        copy = copy_privately(space, vma, frame)
    finally:
        space.frames.release(frame)
    space.table.set_pte(page, make_pte(copy, vma.pte_flags | D))
    return Outcome.FILE_COPIED


def _present(space: AddressSpace, vma: Vma, page: int, access: Access, pte: int) -> Outcome:
    """Handles a fault on a present page: a store to a CoW page, or a spurious fault."""
    if access is not Access.STORE or pte & W:
        dirty = D if access is Access.STORE else 0
        space.table.add_flags(page, A | dirty)
        return Outcome.SPURIOUS
    if space.table.huge and space.table.is_huge(page):
        outcome = store_to_huge(space, vma, page, pte)
        if outcome is not None:
            return outcome
        pte = space.table.pte(page)
    if vma.shared:
        assert vma.backing is not None
        vma.backing.stored_to(vma.index_of(page))
        space.table.set_pte(page, pte & ~CLEAN | W | A | D)
        return Outcome.SHARED
    return break_cow(space, vma, page, pte)


def allows(pte: int, access: Access) -> bool:
    """Returns whether a leaf PTE allows user code ``access`` without a fault."""
    wanted = _NEEDED[access] | V
    return pte & wanted == wanted
