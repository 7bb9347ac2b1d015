"""System calls for locked memory (mlock(2)). The machine never pages out: locked pages are
populated and counted against RLIMIT_MEMLOCK, and operations that would discard them fail.
"""

from __future__ import annotations

from contextlib import suppress

from emu.machine.pte import PAGE_MASK
from kernel.base.errno import EAGAIN, EFAULT, EINVAL, ENOMEM, EPERM
from kernel.base.errors import Errno
from kernel.base.resource_limits import Resource
from kernel.mm.address_space import AddressSpace
from kernel.mm.mappings.vma import USER_END, page_up
from kernel.syscalls.context import SyscallContext
from kernel.syscalls.memory.populate import populate

_ONFAULT = 1
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4
_WRAP = (1 << 64) - 1


def mlock(t: SyscallContext, address: int, length: int) -> int:
    return mlock2(t, address, length, 0)


def mlock2(t: SyscallContext, address: int, length: int, flags: int) -> int:
    if flags & ~_ONFAULT:
        raise Errno(EINVAL)
    _check_permission(t)
    start, end = _range(address, length)
    already = _locked_bytes(t.process.space, start, end)
    if not t.process.space.may_lock(end - start - already):
        raise Errno(ENOMEM)
    _mark(t.process.space, start, end, locked=True, on_fault=bool(flags & _ONFAULT))
    if not flags & _ONFAULT:
        _populate_locked(t, start, end)
    return 0


def munlock(t: SyscallContext, address: int, length: int) -> int:
    _mark(t.process.space, *_range(address, length), locked=False)
    return 0


def mlockall(t: SyscallContext, flags: int) -> int:
    if not flags or flags & ~(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT) or flags == _MCL_ONFAULT:
        raise Errno(EINVAL)
    _check_permission(t)
    space = t.process.space
    if flags & _MCL_CURRENT and space.virtual_pages() << 12 > t.process.limits.soft(
        Resource.MEMLOCK
    ):
        raise Errno(ENOMEM)
    on_fault = bool(flags & _MCL_ONFAULT)
    space.locks_new = bool(flags & _MCL_FUTURE)
    space.locks_new_on_fault = space.locks_new and on_fault
    if flags & _MCL_CURRENT:
        _set_lock(space, 0, USER_END, locked=True, on_fault=on_fault)
        populate_locked(t, 0, USER_END)
    return 0


def munlockall(t: SyscallContext) -> int:
    space = t.process.space
    space.locks_new = space.locks_new_on_fault = False
    _set_lock(space, 0, USER_END, locked=False)
    return 0


def populate_locked(t: SyscallContext, start: int, end: int) -> None:
    """Brings in the pages of locked VMAs, except those locked on fault; as in Linux, a page that
    is not available is not reported.
    """
    for vma in t.process.space.overlapping(start, end):
        if vma.locked and not vma.lock_on_fault:
            with suppress(Errno):
                first, last = max(start, vma.start), min(end, vma.end)
                populate(t, first, last, write=vma.writable and not vma.shared)


def check_may_lock(t: SyscallContext, size: int, *, requested: bool) -> None:
    """Checks that a new mapping may be locked, as ``requested`` by MAP_LOCKED or by mlockall(2)."""
    if requested:
        _check_permission(t)
    if not t.process.space.may_lock(size):
        raise Errno(EAGAIN)


def _check_permission(t: SyscallContext) -> None:
    if not t.process.limits.soft(Resource.MEMLOCK):
        raise Errno(EPERM)


def _range(address: int, length: int) -> tuple[int, int]:
    """Page-aligned range that contains [address, address + length)."""
    start = address & ~PAGE_MASK
    return start, start + (page_up(length + (address & PAGE_MASK)) & _WRAP)


def _locked_bytes(space: AddressSpace, start: int, end: int) -> int:
    return sum(
        min(end, vma.end) - max(start, vma.start)
        for vma in space.overlapping(start, end)
        if vma.locked
    )


def _mark(
    space: AddressSpace, start: int, end: int, *, locked: bool, on_fault: bool = False
) -> None:
    """Locks or unlocks up to the first hole; ENOMEM at a hole, EINVAL for an invalid range."""
    if end > _WRAP:
        raise Errno(EINVAL)
    at = start
    for vma in space.overlapping(start, end):
        if vma.start > at:
            break
        at = min(vma.end, end)
    if start < at:
        _set_lock(space, start, at, locked=locked, on_fault=on_fault)
    if at < end:
        raise Errno(ENOMEM)


def _set_lock(
    space: AddressSpace, start: int, end: int, *, locked: bool, on_fault: bool = False
) -> None:
    for vma in space.overlapping(start, end):
        if not vma.is_special and not vma.in_huge_pages:
            first, last = max(start, vma.start), min(end, vma.end)
            space.mark(first, last, locked=locked, lock_on_fault=on_fault)


def _populate_locked(t: SyscallContext, start: int, end: int) -> None:
    for vma in t.process.space.overlapping(start, end):
        write = vma.writable and not vma.shared
        try:
            populate(t, max(start, vma.start), min(end, vma.end), write=write)
        except Errno as error:
            raise Errno(ENOMEM if error.errno == EFAULT else error.errno) from None
