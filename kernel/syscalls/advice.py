"""Advice and questions on memory: madvise, msync, mincore, mlock, barriers."""

from __future__ import annotations

import errno

from emu.machine.pte import PAGE_MASK, PAGE_SHIFT, PAGE_SIZE, V
from kernel.errors import Errno
from kernel.lazy import np
from kernel.leaftables import LEAF_SPAN
from kernel.process import Thread
from kernel.space import USER_END, AddressSpace, page_up
from kernel.syscalls.memory import page_range, populate

_MS_ASYNC, _MS_INVALIDATE, _MS_SYNC = 1, 2, 4

(_NORMAL, _RANDOM, _SEQUENTIAL, _WILLNEED, _DONTNEED) = range(5)
_FREE, _REMOVE, _DONTFORK, _DOFORK, _MERGEABLE, _UNMERGEABLE = 8, 9, 10, 11, 12, 13
_HUGEPAGE, _NOHUGEPAGE, _DONTDUMP, _DODUMP, _WIPEONFORK, _KEEPONFORK = 14, 15, 16, 17, 18, 19
_COLD, _PAGEOUT, _POPULATE_READ, _POPULATE_WRITE = 20, 21, 22, 23
_HINTS = frozenset(
    {_NORMAL, _RANDOM, _SEQUENTIAL, _WILLNEED, _MERGEABLE, _UNMERGEABLE}
    | {_HUGEPAGE, _NOHUGEPAGE, _DONTDUMP, _DODUMP, _COLD, _PAGEOUT}
)
_VMA_ADVICE = {
    _DONTFORK: ("dont_fork", True),
    _DOFORK: ("dont_fork", False),
    _WIPEONFORK: ("wipe_on_fork", True),
    _KEEPONFORK: ("wipe_on_fork", False),
}


def madvise(t: Thread, address: int, length: int, advice: int) -> int:
    known = advice in _HINTS or advice in _VMA_ADVICE
    if not known and advice not in (_DONTNEED, _FREE, _REMOVE, _POPULATE_READ, _POPULATE_WRITE):
        raise Errno(errno.EINVAL)
    start, end = page_range(address, length)
    if start == end:
        return 0
    space = t.process.space
    whole = space.covers(start, end)
    if advice in (_DONTNEED, _FREE):
        space.zap(start, end)  # MADV_FREE may act at once
    elif advice == _REMOVE:
        raise Errno(errno.EOPNOTSUPP)
    elif advice in (_POPULATE_READ, _POPULATE_WRITE):
        if not populate(t, start, end, write=advice == _POPULATE_WRITE):
            raise Errno(errno.EAGAIN)
    elif advice in _VMA_ADVICE:
        _advise_vmas(space, start, end, advice)
    if not whole:
        raise Errno(errno.ENOMEM)
    return 0


def _advise_vmas(space: AddressSpace, start: int, end: int, advice: int) -> None:
    name, value = _VMA_ADVICE[advice]
    for vma in space.overlapping(start, end):
        if advice == _WIPEONFORK and (vma.shared or vma.backing is not None):
            raise Errno(errno.EINVAL)
    space.mark(start, end, name, value)


def msync(t: Thread, address: int, length: int, flags: int) -> int:
    if flags & ~7 or (flags & _MS_ASYNC and flags & _MS_SYNC):
        raise Errno(errno.EINVAL)
    start, end = page_range(address, length, errno.ENOMEM)
    space = t.process.space
    for vma in space.overlapping(start, end):
        space.write_back(vma, max(start, vma.start), min(end, vma.end))
    if start < end and not space.covers(start, end):
        raise Errno(errno.ENOMEM)
    return 0


def mincore(t: Thread, address: int, length: int, result: int) -> int:
    start, end = page_range(address, length, errno.ENOMEM)
    space = t.process.space
    if start < end and not space.covers(start, end):
        raise Errno(errno.ENOMEM)
    for chunk in range(start, end, LEAF_SPAN):
        answer = _in_core(space, chunk, min(end, chunk + LEAF_SPAN))
        t.mem.write(result + (chunk - start >> PAGE_SHIFT), answer)
        if t.kernel.attention is not None:
            raise Errno(errno.EAGAIN)
    return 0


def _in_core(space: AddressSpace, start: int, end: int) -> bytearray:
    """A byte for each page of [start, end): 1 for one that is mapped, or in its backing."""
    answer = bytearray(end - start >> PAGE_SHIFT)
    for begin, ptes in space.table.slices(start, end):
        at = begin - start >> PAGE_SHIFT
        answer[at : at + len(ptes)] = (ptes & V).astype(np.uint8).tobytes()
    for vma in space.overlapping(start, end):
        if vma.backing is not None:
            for page in range(max(start, vma.start), min(end, vma.end), PAGE_SIZE):
                if vma.backing.resident(vma.index_of(page)):
                    answer[page - start >> PAGE_SHIFT] = 1
    return answer


def mlock(t: Thread, address: int, length: int) -> int:
    """Brings the range in; nothing is ever paged out here."""
    start = address & ~PAGE_MASK
    end = page_up(address + length) if length < USER_END else USER_END
    if start < end and not t.process.space.covers(start, min(end, USER_END)):
        raise Errno(errno.ENOMEM)
    for vma in t.process.space.overlapping(start, end):
        if not populate(t, max(start, vma.start), min(end, vma.end), write=False):
            raise Errno(errno.EAGAIN)
    return 0


def mlock2(t: Thread, address: int, length: int, flags: int) -> int:
    if flags & ~1:
        raise Errno(errno.EINVAL)
    return 0 if flags else mlock(t, address, length)


def munlock(t: Thread, address: int, length: int) -> int:
    return 0


def mlockall(t: Thread, flags: int) -> int:
    if not flags or flags & ~7:
        raise Errno(errno.EINVAL)
    return 0


def munlockall(t: Thread) -> int:
    return 0


def membarrier(t: Thread, command: int, flags: int, cpu: int) -> int:
    """One hart, sequentially consistent: every command is fulfilled; QUERY lists two."""
    if flags:
        raise Errno(errno.EINVAL)
    return 0x18 if command == 0 else 0


def riscv_flush_icache(t: Thread, start: int, end: int, flags: int) -> int:
    if flags & ~1:
        raise Errno(errno.EINVAL)
    t.kernel.hart.fence_code()
    return 0
