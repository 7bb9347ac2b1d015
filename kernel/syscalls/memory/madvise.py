"""System calls for advice and queries on memory: madvise, msync, mincore, barriers."""

from __future__ import annotations

from dataclasses import replace

from emu.machine.pte import HUGE_SIZE, PAGE_MASK, PAGE_SHIFT, PAGE_SIZE, V
from kernel.base.errno import EACCES, EAGAIN, EBUSY, EINVAL, ENOMEM, EPERM
from kernel.base.errors import Errno
from kernel.base.lazy_numpy import np
from kernel.mm.address_space import AddressSpace
from kernel.mm.aging import free_lazily, make_old, unmap_cached
from kernel.mm.backing.hugetlb_memory import HugetlbMemory
from kernel.mm.collapse import Failure, collapse_all
from kernel.mm.faults.hugetlb_fault import discard_from_pool
from kernel.mm.mappings.vma import USER_END, Prot, Vma, VmFlag, page_up
from kernel.mm.page_tables.leaf_tables import LEAF_SPAN
from kernel.syscalls.context import SyscallContext
from kernel.syscalls.memory.mappings import page_range
from kernel.syscalls.memory.populate import populate

_MS_ASYNC, _MS_INVALIDATE, _MS_SYNC = 1, 2, 4
_WRAP = (1 << 64) - 1
_PRIVATE_EXPEDITED, _REGISTER_PRIVATE_EXPEDITED = 8, 16

(_NORMAL, _RANDOM, _SEQUENTIAL, _WILLNEED, _DONTNEED) = range(5)
_FREE, _REMOVE, _DONTFORK, _DOFORK, _MERGEABLE, _UNMERGEABLE = 8, 9, 10, 11, 12, 13
_HUGEPAGE, _NOHUGEPAGE, _DONTDUMP, _DODUMP, _WIPEONFORK, _KEEPONFORK = 14, 15, 16, 17, 18, 19
_COLD, _PAGEOUT, _POPULATE_READ, _POPULATE_WRITE, _DONTNEED_LOCKED, _COLLAPSE = range(20, 26)
_KNOWN = frozenset(
    {_NORMAL, _RANDOM, _SEQUENTIAL, _WILLNEED, _MERGEABLE, _UNMERGEABLE, _COLLAPSE}
    | {_HUGEPAGE, _NOHUGEPAGE, _DONTDUMP, _DODUMP, _COLD, _PAGEOUT, _POPULATE_READ}
    | {_DONTFORK, _DOFORK, _WIPEONFORK, _KEEPONFORK, _POPULATE_WRITE}
    | {_DONTNEED, _DONTNEED_LOCKED, _FREE, _REMOVE}
)
_REJECTED_WHEN_LOCKED = frozenset((_DONTNEED, _FREE, _REMOVE, _COLD, _PAGEOUT))
_REJECTED_IN_THE_POOL = frozenset((_FREE, _COLD, _PAGEOUT, _WIPEONFORK))
_FLAGS = {
    _NORMAL: (VmFlag.RANDOM | VmFlag.SEQUENTIAL, VmFlag.NONE),
    _RANDOM: (VmFlag.SEQUENTIAL, VmFlag.RANDOM),
    _SEQUENTIAL: (VmFlag.RANDOM, VmFlag.SEQUENTIAL),
    _DONTDUMP: (VmFlag.NONE, VmFlag.NO_DUMP),
    _DODUMP: (VmFlag.NO_DUMP, VmFlag.NONE),
    _HUGEPAGE: (VmFlag.NO_HUGE, VmFlag.HUGE),
    _NOHUGEPAGE: (VmFlag.HUGE, VmFlag.NO_HUGE),
    _MERGEABLE: (VmFlag.NONE, VmFlag.MERGEABLE),
    _UNMERGEABLE: (VmFlag.MERGEABLE, VmFlag.NONE),
}
"""The flags that an advice clears, and those that it sets."""
_VMA_ADVICE = {
    _DONTFORK: {"dont_fork": True},
    _DOFORK: {"dont_fork": False},
    _WIPEONFORK: {"wipe_on_fork": True},
    _KEEPONFORK: {"wipe_on_fork": False},
}


def madvise(t: SyscallContext, address: int, length: int, advice: int) -> int:
    """Applies the advice up to the first mapping that does not accept it, then reports holes."""
    if advice not in _KNOWN or address & PAGE_MASK:
        raise Errno(EINVAL)
    start, end = address, address + page_up(length)
    if end > 1 << 64:
        raise Errno(EINVAL)
    if advice in (_POPULATE_READ, _POPULATE_WRITE):
        _populate(t, start, end, write=advice == _POPULATE_WRITE)
        return 0
    space = t.process.space
    if advice == _COLLAPSE:
        _collapse(t, start, end)
        return 0
    end_accepted, failure = _accepted(space, start, end, advice)
    end_accepted = min(end_accepted, USER_END)
    if start < end_accepted:
        if advice == _REMOVE:
            _remove(t, start, end_accepted)
        else:
            _act(space, start, end_accepted, advice)
    if failure is None and not space.covers(start, end):
        failure = ENOMEM
    if failure is not None:
        raise Errno(failure)
    return 0


def _accepted(space: AddressSpace, start: int, end: int, advice: int) -> tuple[int, int | None]:
    """Returns the end of the range that accepts the advice, and the error of the next mapping."""
    for vma in space.overlapping(start, end):
        failure = _error_of(vma, advice)
        if failure is not None:
            return max(start, vma.start), failure
    return end, None


def _error_of(vma: Vma, advice: int) -> int | None:
    anonymous = vma.backing is None
    if vma.in_huge_pages and advice in _REJECTED_IN_THE_POOL:
        return EINVAL
    if vma.locked and advice in _REJECTED_WHEN_LOCKED:
        return EINVAL
    if advice in (_FREE, _WIPEONFORK) and not anonymous:
        return EINVAL
    if advice == _REMOVE and anonymous:
        return EINVAL
    if advice == _REMOVE and not (vma.shared and vma.may_write):
        return EACCES
    return None


def _act(space: AddressSpace, start: int, end: int, advice: int) -> None:
    if advice in (_DONTNEED, _DONTNEED_LOCKED):
        _discard(space, start, end)
    elif advice == _FREE:
        _free(space, start, end)
    elif advice == _COLD:
        make_old(space, start, end)
    elif advice == _PAGEOUT:
        _page_out(space, start, end)
    try:
        if advice in _FLAGS:
            space.change_flags(start, end, *_FLAGS[advice])
        if advice == _HUGEPAGE:
            space.set_huge_pages(replace(space.huge_pages, advised=True))
        if advice in _VMA_ADVICE:
            space.mark(start, end, **_VMA_ADVICE[advice])
    except Errno as error:
        raise Errno(EAGAIN if error.errno == ENOMEM else error.errno) from None  # too many mappings


def _free(space: AddressSpace, start: int, end: int) -> None:
    """Lets the kernel take the pages later; at once where memory is short, as Linux may."""
    act = free_lazily if space.frames.is_plenty() else AddressSpace.zap
    act(space, start, end)


def _page_out(space: AddressSpace, start: int, end: int) -> None:
    for vma in space.overlapping(start, end):
        if vma.backing is not None:
            unmap_cached(space, max(start, vma.start), min(end, vma.end))


def _remove(t: SyscallContext, start: int, end: int) -> None:
    """Punches a hole in what is mapped: the pages are unmapped in all processes."""
    for vma in t.process.space.overlapping(start, end):
        assert vma.backing is not None
        first, last = vma.index_of(max(start, vma.start)), vma.index_of(min(end, vma.end))
        t.kernel.cache.unmap(vma.backing, first, last)
        vma.backing.remove(first, last - 1)


def _discard(space: AddressSpace, start: int, end: int) -> None:
    """Releases the pages of a range; whole pages of the pool, of mappings with MAP_HUGETLB."""
    vmas = space.overlapping(start, end)
    if not any(vma.in_huge_pages for vma in vmas):
        space.zap(start, end)
        return
    for vma in vmas:
        first, last = max(start, vma.start), min(end, vma.end)
        if isinstance(vma.backing, HugetlbMemory):
            if first % HUGE_SIZE:
                raise Errno(EINVAL)
            last &= -HUGE_SIZE
            discard_from_pool(space, vma, vma.backing, first, last)
        elif first < last:
            space.zap(first, last)


def _collapse(t: SyscallContext, start: int, end: int) -> None:
    """Collapses in each mapping; EINVAL for one that cannot have huge pages, ENOMEM for a hole."""
    space = t.process.space
    for vma in space.overlapping(start, end):
        failure = collapse_all(space, vma, max(start, vma.start), min(end, vma.end))
        if failure is not None:
            raise Errno(ENOMEM if failure is Failure.NO_RUN else EINVAL)
        if t.kernel.requests:
            raise Errno(EAGAIN)
    if not space.covers(start, end):
        raise Errno(ENOMEM)


def _populate(t: SyscallContext, start: int, end: int, *, write: bool) -> None:
    needed = Prot.WRITE if write else Prot.READ
    at = start
    for vma in t.process.space.overlapping(start, end):
        if vma.start > at:
            break
        if not vma.prot & needed:
            raise Errno(EINVAL)
        populate(t, max(start, vma.start), min(end, vma.end), write=write)
        at = vma.end
    if at < end:
        raise Errno(ENOMEM)


def msync(t: SyscallContext, address: int, length: int, flags: int) -> int:
    if flags & ~7 or (flags & _MS_ASYNC and flags & _MS_SYNC):
        raise Errno(EINVAL)
    start, end = page_range(address, page_up(length) & _WRAP, ENOMEM)
    space = t.process.space
    for vma in space.overlapping(start, end):
        if flags & _MS_INVALIDATE and vma.locked:
            raise Errno(EBUSY)
        space.write_back(vma, max(start, vma.start), min(end, vma.end))
    if start < end and not space.covers(start, end):
        raise Errno(ENOMEM)
    return 0


def mincore(t: SyscallContext, address: int, length: int, result: int) -> int:
    start, end = page_range(address, length, ENOMEM)
    space, at = t.process.space, start
    while at < end:  # the pages below a hole are reported
        vma = space.find(at)
        if vma is None:
            raise Errno(ENOMEM)
        stop = min(vma.end, end, at + LEAF_SPAN)
        t.mem.write(result + (at - start >> PAGE_SHIFT), _residency(space, vma, at, stop))
        at = stop
        if t.kernel.requests:
            raise Errno(EAGAIN)
    return 0


def _residency(space: AddressSpace, vma: Vma, start: int, end: int) -> bytearray:
    """Returns a byte for each page of [start, end): 1 when it is mapped or in its backing."""
    residency = bytearray(end - start >> PAGE_SHIFT)
    for begin, ptes in space.table.contents(start, end):
        at = begin - start >> PAGE_SHIFT
        residency[at : at + len(ptes)] = (ptes & V).astype(np.uint8).tobytes()
    if vma.backing is not None:
        for page in range(start, end, PAGE_SIZE):
            if vma.backing.resident(vma.index_of(page)):
                residency[page - start >> PAGE_SHIFT] = 1
    return residency


def membarrier(t: SyscallContext, command: int, flags: int, cpu: int) -> int:
    """Returns success: on one sequentially consistent hart a barrier has no effect."""
    if flags or command not in (0, _PRIVATE_EXPEDITED, _REGISTER_PRIVATE_EXPEDITED):
        raise Errno(EINVAL)
    space = t.process.space
    if command == _REGISTER_PRIVATE_EXPEDITED:
        space.asks_for_barriers = True
    elif command and not space.asks_for_barriers:
        raise Errno(EPERM)
    return 0 if command else _PRIVATE_EXPEDITED | _REGISTER_PRIVATE_EXPEDITED


def riscv_flush_icache(t: SyscallContext, start: int, end: int, flags: int) -> int:
    if flags & ~1:
        raise Errno(EINVAL)
    t.kernel.hart.fence_code()
    return 0
