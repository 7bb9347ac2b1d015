"""System calls on mappings: brk(2), mmap(2), munmap(2), mprotect(2)."""

from __future__ import annotations

import stat
from contextlib import suppress
from enum import IntFlag

from emu.machine.pte import HUGE_SIZE, PAGE_MASK, PAGE_SHIFT, PAGE_SIZE
from kernel.base.errno import (
    EACCES,
    EEXIST,
    EINVAL,
    ENODEV,
    ENOMEM,
    EOPNOTSUPP,
    EOVERFLOW,
    EPERM,
)
from kernel.base.errors import Errno, OutOfMemory
from kernel.mm.address_space import AddressSpace
from kernel.mm.backing.backing import Backing
from kernel.mm.backing.hugetlb_memory import HugetlbMemory
from kernel.mm.backing.shared_memory import SharedMemory
from kernel.mm.mappings.vma import LOWEST, USER_END, Prot, Vma, VmFlag, page_up
from kernel.syscalls.context import SyscallContext
from kernel.syscalls.memory import hugetlb
from kernel.syscalls.memory.mlock import check_may_lock, populate_locked
from kernel.syscalls.memory.populate import populate
from kernel.vfs.core.open_file import OpenFile
from kernel.vfs.core.seals import NO_WRITES
from kernel.vfs.memfs.nodes import MemFile


class Map(IntFlag):
    """Flags of mmap(2)."""

    SHARED = 0x01
    PRIVATE = 0x02
    SHARED_VALIDATE = 0x03
    FIXED = 0x10
    ANONYMOUS = 0x20
    GROWSDOWN = 0x100
    LOCKED = 0x2000
    NORESERVE = 0x4000
    POPULATE = 0x8000
    NONBLOCK = 0x1_0000
    STACK = 0x2_0000
    HUGETLB = 0x4_0000
    SYNC = 0x8_0000
    FIXED_NOREPLACE = 0x10_0000


_TYPE = 0xF
_DENYWRITE, _EXECUTABLE, _HUGE_SIZES = 0x800, 0x1000, 0x7C00_0000
_VALIDATED = int(
    (Map.SHARED_VALIDATE | Map.FIXED | Map.ANONYMOUS | Map.GROWSDOWN | Map.LOCKED)
    | (Map.NORESERVE | Map.POPULATE | Map.NONBLOCK | Map.STACK | Map.HUGETLB)
    | (_DENYWRITE | _EXECUTABLE | _HUGE_SIZES)
)
"""The flags that MAP_SHARED_VALIDATE accepts (LEGACY_MAP_MASK). MAP_SHARED and MAP_PRIVATE ignore
unknown ones.
"""
_PROT_SEM, _PROT_GROWSDOWN, _PROT_GROWSUP = 0x8, 0x0100_0000, 0x0200_0000


def brk(t: SyscallContext, address: int) -> int:
    """Sets the end of the heap; returns the old end on failure (brk(2), the raw system call)."""
    space = t.process.space
    if not space.brk_start <= address < USER_END:
        return space.brk
    old, new = page_up(space.brk), page_up(address)
    if new < old:
        space.unmap(new, old)
    elif new > old and not _grow_heap(t, space, old, new):
        return space.brk
    space.brk = address
    return address


def _grow_heap(t: SyscallContext, space: AddressSpace, old: int, new: int) -> bool:
    if space.overlapping(old, new + PAGE_SIZE):
        return False
    if space.locks_new and not space.may_lock(new - old):
        return False
    try:
        check_room(t, new - old, is_data=True)
        vma = Vma(old, new, Prot.READ | Prot.WRITE, name="[heap]")
        vma.locked, vma.lock_on_fault = space.locks_new, space.locks_new_on_fault
        space.add(vma)
    except Errno:
        return False
    populate_locked(t, old, new)
    return True


def mmap(
    t: SyscallContext, address: int, length: int, prot: int, flags: int, fd: int, offset: int
) -> int:
    if offset & PAGE_MASK:
        raise Errno(EINVAL)
    file = None if flags & Map.ANONYMOUS else t.files.get_usable(fd)
    if not length or length > USER_END:
        raise Errno(ENOMEM if length else EINVAL)
    if file is not None and (offset < 0 or offset + length > 1 << 62):
        raise Errno(EOVERFLOW)
    kind = flags & _TYPE
    if flags & Map.HUGETLB:
        hugetlb.check_size(flags, anonymous=file is None)
    if kind not in (Map.SHARED, Map.PRIVATE, Map.SHARED_VALIDATE):
        raise Errno(EINVAL)
    length = hugetlb.huge_page_up(length) if flags & Map.HUGETLB else page_up(length)
    if kind == Map.SHARED_VALIDATE and (file is None or flags & ~_VALIDATED):
        raise Errno(EINVAL if file is None else EOPNOTSUPP)
    if file is not None:
        _check_file(file, prot, shared=kind != Map.PRIVATE)
    writable = bool(prot & Prot.WRITE) and kind == Map.PRIVATE
    space = t.process.space
    start = _place(space, address, length, flags)
    locked = bool(flags & Map.LOCKED) or space.locks_new
    if locked:
        check_may_lock(t, length, requested=bool(flags & Map.LOCKED))
    check_room(
        t,
        length,
        replaced=_mapped_bytes(space, start, length) if flags & Map.FIXED else 0,
        is_data=writable and not flags & Map.GROWSDOWN,
        reserve=writable and not flags & Map.NORESERVE,
    )
    if flags & Map.HUGETLB:
        reserve = not flags & Map.NORESERVE
        vma = hugetlb.new_vma(
            t, start, length, Prot(prot & 7), shared=kind != Map.PRIVATE, reserve=reserve
        )
    else:
        vma = _new_vma(t, start, length, Prot(prot & 7), kind != Map.PRIVATE, file, offset)
    vma.grows_down = bool(flags & Map.GROWSDOWN)
    vma.locked = locked and not vma.in_huge_pages
    vma.lock_on_fault = space.locks_new_on_fault and not flags & Map.LOCKED
    vma.flags |= VmFlag.NO_RESERVE if flags & Map.NORESERVE else VmFlag.NONE
    vma.flags |= VmFlag.NO_HUGE if flags & Map.STACK else VmFlag.NONE
    try:
        if vma.grows_down and vma.backing is not None:
            raise Errno(EINVAL)
        if flags & Map.FIXED and not flags & Map.FIXED_NOREPLACE:
            space.unmap(start, start + length)
        space.add(vma)
    except (Errno, OutOfMemory):
        if isinstance(vma.backing, HugetlbMemory):
            vma.backing.unused()  # ends its reservation
        raise
    if prot & Prot.EXEC and file is not None and t.kernel.new_library is not None:
        t.kernel.new_library(file.inode, file.path)
    if (flags & Map.POPULATE or (locked and not vma.lock_on_fault)) and prot:
        with suppress(Errno):  # a page that is not available now is left to the fault
            populate(t, start, start + length, write=writable)
    return start


def _check_file(file: OpenFile, prot: int, *, shared: bool) -> None:
    if not file.readable or (shared and prot & Prot.WRITE and not file.writable):
        raise Errno(EACCES)
    if shared and prot & Prot.WRITE and _is_sealed(file):
        raise Errno(EPERM)
    if not stat.S_ISREG(file.inode.stat().mode) and not _is_zero_device(file):
        raise Errno(ENODEV)


def _is_sealed(file: OpenFile) -> bool:
    return isinstance(file.inode, MemFile) and bool(file.inode.seals & NO_WRITES)


def _is_zero_device(file: OpenFile) -> bool:
    status = file.inode.stat()
    return stat.S_ISCHR(status.mode) and status.rdev == 0x105


def check_room(
    t: SyscallContext,
    length: int,
    *,
    is_data: bool,
    reserve: bool | None = None,
    replaced: int = 0,
) -> None:
    """ENOMEM beyond the machine's memory (Linux's heuristic overcommit), RLIMIT_AS or RLIMIT_DATA.

    ``replaced`` bytes of the length are mapped already. Data is reserved unless given otherwise.
    """
    space = t.process.space
    reserve = is_data if reserve is None else reserve
    if reserve and length > space.frames.total * PAGE_SIZE:
        raise Errno(ENOMEM)
    if not space.may_expand(length - replaced, is_data=is_data):
        raise Errno(ENOMEM)


def _mapped_bytes(space: AddressSpace, start: int, length: int) -> int:
    end = start + length
    return sum(min(end, vma.end) - max(start, vma.start) for vma in space.overlapping(start, end))


def _place(space: AddressSpace, address: int, length: int, flags: int) -> int:
    if not flags & (Map.FIXED | Map.FIXED_NOREPLACE):
        if flags & Map.HUGETLB:
            return hugetlb.place(space, address, length)
        aligned = flags & Map.ANONYMOUS and not length % HUGE_SIZE
        return space.find_gap(length, address & ~PAGE_MASK, HUGE_SIZE if aligned else PAGE_SIZE)
    if address & (HUGE_SIZE - 1 if flags & Map.HUGETLB else PAGE_MASK):
        raise Errno(EINVAL)
    if address > USER_END - length:
        raise Errno(ENOMEM)
    if address < LOWEST:
        raise Errno(EPERM)
    if flags & Map.FIXED_NOREPLACE and space.overlapping(address, address + length):
        raise Errno(EEXIST)
    return address


def _new_vma(
    t: SyscallContext,
    start: int,
    length: int,
    prot: Prot,
    shared: bool,
    file: OpenFile | None,
    offset: int,
) -> Vma:
    end = start + length
    if file is None or _is_zero_device(file):
        backing: Backing | None = None
        if shared:
            backing = SharedMemory(t.kernel.frames, length >> PAGE_SHIFT)
        name = "/dev/zero (deleted)" if shared else ""
        return Vma(start, end, prot, shared=shared, backing=backing, name=name)
    pages = t.kernel.cache.pages_of(file.inode)
    return Vma(
        start,
        end,
        prot,
        shared=shared,
        backing=pages,
        offset=offset,
        name=file.path,
        may_write=not shared or (file.writable and not _is_sealed(file)),
    )


def munmap(t: SyscallContext, address: int, length: int) -> int:
    start, end = page_range(address, length)
    if start == end:
        raise Errno(EINVAL)
    t.process.space.unmap(start, end)
    return 0


def page_range(address: int, length: int, failure: int = EINVAL) -> tuple[int, int]:
    """Returns [start, end) in pages; EINVAL for an unaligned start, ``failure`` beyond the end."""
    if address & PAGE_MASK:
        raise Errno(EINVAL)
    if length > USER_END or address + page_up(length) > USER_END:
        raise Errno(failure)
    return address, address + page_up(length)


def mprotect(t: SyscallContext, address: int, length: int, prot: int) -> int:
    growing = prot & (_PROT_GROWSDOWN | _PROT_GROWSUP)
    if growing == _PROT_GROWSDOWN | _PROT_GROWSUP:
        raise Errno(EINVAL)
    start, end = page_range(address, length, ENOMEM)
    if start == end:
        return 0
    if prot & ~(7 | _PROT_SEM | growing):
        raise Errno(EINVAL)
    space = t.process.space
    if growing:
        start = _extended_start(space, start, end, growing)
    writable_now = [
        (max(start, vma.start), min(end, vma.end))
        for vma in (space.overlapping(start, end) if space.locked_bytes else ())
        if vma.locked and vma.becomes_data and prot & Prot.WRITE
    ]
    space.protect(start, end, Prot(prot & 7))
    for first, last in writable_now:
        populate_locked(t, first, last)
    return 0


def _extended_start(space: AddressSpace, start: int, end: int, growing: int) -> int:
    """Start of the range for PROT_GROWSDOWN, which extends it to the start of a growing mapping."""
    vmas = space.overlapping(start, end)
    if not vmas:
        raise Errno(ENOMEM)
    if growing == _PROT_GROWSUP or not vmas[0].grows_down:
        raise Errno(EINVAL)
    return vmas[0].start
