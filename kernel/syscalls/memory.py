"""System calls on the address space: brk, mmap and their kin."""

from __future__ import annotations

import errno
import stat
from enum import IntFlag

from emu.machine.pte import PAGE_MASK, PAGE_SHIFT, PAGE_SIZE
from kernel import moving
from kernel.backing import Backing, SharedMemory
from kernel.errors import Errno
from kernel.limits import Resource
from kernel.process import Thread
from kernel.space import LOWEST, USER_END, AddressSpace, page_up
from kernel.vfs.openfile import OpenFile
from kernel.vma import Prot, Vma


class Map(IntFlag):
    """mmap(2)'s flags."""

    SHARED = 0x01
    PRIVATE = 0x02
    SHARED_VALIDATE = 0x03
    FIXED = 0x10
    ANONYMOUS = 0x20
    GROWSDOWN = 0x100
    LOCKED = 0x2000
    NORESERVE = 0x4000
    POPULATE = 0x8000
    STACK = 0x2_0000
    HUGETLB = 0x4_0000
    FIXED_NOREPLACE = 0x10_0000


_MAYMOVE, _MREMAP_FIXED = 1, 2


def brk(t: Thread, address: int) -> int:
    """Moves the end of the heap; the old end when that can't be (brk(2), the kernel's form)."""
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


def _grow_heap(t: Thread, space: AddressSpace, old: int, new: int) -> bool:
    if space.overlapping(old, new + PAGE_SIZE):
        return False
    if new - space.brk_start > t.process.limits.soft(Resource.DATA):
        return False
    try:
        _check_room(t, new - old, reserve=True)
        space.add(Vma(old, new, Prot.READ | Prot.WRITE, name="[heap]"))
    except Errno:
        return False
    return True


def mmap(t: Thread, address: int, length: int, prot: int, flags: int, fd: int, offset: int) -> int:
    if not length or offset & PAGE_MASK:
        raise Errno(errno.EINVAL)
    if length > USER_END or offset < 0 or offset + length > 1 << 62:
        raise Errno(errno.ENOMEM if length > USER_END else errno.EOVERFLOW)
    kind = flags & Map.SHARED_VALIDATE
    if not kind or flags & Map.HUGETLB:
        raise Errno(errno.EINVAL if not kind else errno.ENOMEM)
    length = page_up(length)
    file = None if flags & Map.ANONYMOUS else t.files.usable(fd)
    if file is not None:
        _check_file(file, prot, shared=kind != Map.PRIVATE)
    writable = bool(prot & Prot.WRITE) and kind == Map.PRIVATE
    _check_room(t, length, reserve=writable and not flags & Map.NORESERVE)
    space = t.process.space
    start = _place(space, address, length, flags)
    vma = _new_vma(t, start, length, Prot(prot & 7), kind != Map.PRIVATE, file, offset)
    vma.grows_down = bool(flags & Map.GROWSDOWN)
    if vma.grows_down and vma.backing is not None:
        raise Errno(errno.EINVAL)
    if flags & Map.FIXED and not flags & Map.FIXED_NOREPLACE:
        space.unmap(start, start + length)
    space.add(vma)
    if flags & (Map.POPULATE | Map.LOCKED) and prot:
        populate(t, start, start + length, write=writable)
    return start


def _check_file(file: OpenFile, prot: int, *, shared: bool) -> None:
    if not file.readable or (shared and prot & Prot.WRITE and not file.writable):
        raise Errno(errno.EACCES)
    if not stat.S_ISREG(file.inode.stat().mode) and not _is_zero_device(file):
        raise Errno(errno.ENODEV)


def _is_zero_device(file: OpenFile) -> bool:
    status = file.inode.stat()
    return stat.S_ISCHR(status.mode) and status.rdev == 0x105


def _check_room(t: Thread, length: int, *, reserve: bool) -> None:
    """Refuses what could never be had: the heuristic overcommit of Linux, and RLIMIT_AS."""
    space = t.process.space
    if reserve and length > space.frames.total * PAGE_SIZE:
        raise Errno(errno.ENOMEM)
    limit = t.process.limits.soft(Resource.AS)
    if limit < USER_END and space.virtual_pages() * PAGE_SIZE + length > limit:
        raise Errno(errno.ENOMEM)


def _place(space: AddressSpace, address: int, length: int, flags: int) -> int:
    if not flags & (Map.FIXED | Map.FIXED_NOREPLACE):
        return space.find_gap(length, address & ~PAGE_MASK)
    if address & PAGE_MASK:
        raise Errno(errno.EINVAL)
    if address > USER_END - length:
        raise Errno(errno.ENOMEM)
    if address < LOWEST:
        raise Errno(errno.EPERM)
    if flags & Map.FIXED_NOREPLACE and space.overlapping(address, address + length):
        raise Errno(errno.EEXIST)
    return address


def _new_vma(
    t: Thread,
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
        may_write=not shared or file.writable,
    )


def populate(t: Thread, start: int, end: int, *, write: bool) -> bool:
    """Touches every page; what can't be had is left for the fault (MAP_POPULATE).

    Whether it came to the end: it stops when the user wants something of the machine.
    """
    for page in range(start, end, PAGE_SIZE):
        if t.kernel.attention is not None:
            return False
        try:
            if write:
                if not t.mem.writable(page, 1):
                    break
            else:
                t.mem.read(page, 1)
        except Errno:
            break
    return True


def munmap(t: Thread, address: int, length: int) -> int:
    start, end = page_range(address, length)
    if start == end:
        raise Errno(errno.EINVAL)
    t.process.space.unmap(start, end)
    return 0


def page_range(address: int, length: int, failure: int = errno.EINVAL) -> tuple[int, int]:
    """[start, end) in whole pages; EINVAL for what is not aligned, ``failure`` outside."""
    if address & PAGE_MASK:
        raise Errno(errno.EINVAL)
    if length > USER_END or address + page_up(length) > USER_END:
        raise Errno(failure)
    return address, address + page_up(length)


def mprotect(t: Thread, address: int, length: int, prot: int) -> int:
    if prot & ~(7 | 0x0300_0000) or prot & 0x0300_0000 == 0x0300_0000:
        raise Errno(errno.EINVAL)
    start, end = page_range(address, length, errno.ENOMEM)
    if start < end:
        t.process.space.protect(start, end, Prot(prot & 7))
    return 0


def mremap(t: Thread, old: int, old_size: int, new_size: int, flags: int, new: int) -> int:
    if flags & ~(_MAYMOVE | _MREMAP_FIXED) or not new_size or old & PAGE_MASK:
        raise Errno(errno.EINVAL)
    if flags & _MREMAP_FIXED and not flags & _MAYMOVE:
        raise Errno(errno.EINVAL)
    if max(old_size, new_size) > USER_END:
        raise Errno(errno.ENOMEM if new_size > USER_END else errno.EINVAL)
    old_size, new_size = page_up(old_size), page_up(new_size)
    space = t.process.space
    vma = space.find(old)
    if vma is None or old + old_size > vma.end:
        raise Errno(errno.EFAULT)
    if not old_size:
        if not vma.shared:
            raise Errno(errno.EINVAL)
        return _duplicate(t, vma, old, new_size, flags, new)
    if flags & _MREMAP_FIXED:
        return _move_to(t, old, old_size, new_size, new)
    if new_size <= old_size:
        if new_size < old_size:
            space.unmap(old + new_size, old + old_size)
        return old
    _check_room(t, new_size - old_size, reserve=vma.writable and not vma.shared)
    if old + old_size == vma.end and _can_extend(space, vma, old + new_size):
        space.set_end(vma, old + new_size)
        return old
    if not flags & _MAYMOVE:
        raise Errno(errno.ENOMEM)
    return _move(t, old, old_size, new_size, space.find_gap(new_size))


def _can_extend(space: AddressSpace, vma: Vma, end: int) -> bool:
    return end <= space.mmap_top and not space.overlapping(vma.end, end)


def _duplicate(t: Thread, vma: Vma, old: int, size: int, flags: int, new: int) -> int:
    """An old size of 0 maps the pages of a shared mapping a second time."""
    if not flags & _MAYMOVE:
        raise Errno(errno.EINVAL)
    space = t.process.space
    if flags & _MREMAP_FIXED:
        _check_target(old, 0, new, size)
    start = new if flags & _MREMAP_FIXED else space.find_gap(size)
    twin = vma.part(max(old, vma.start), vma.end)
    twin.start, twin.end = start, start + size
    if flags & _MREMAP_FIXED:
        space.unmap(start, start + size)
    space.add(twin)
    return start


def _check_target(old: int, old_size: int, new: int, new_size: int) -> None:
    """EINVAL unless a range may be moved there: user addresses that do not overlap the old."""
    if new & PAGE_MASK or new > USER_END - new_size or new < LOWEST:
        raise Errno(errno.EINVAL)
    if new < old + max(old_size, PAGE_SIZE) and old < new + new_size:
        raise Errno(errno.EINVAL)


def _move_to(t: Thread, old: int, old_size: int, new_size: int, new: int) -> int:
    _check_target(old, old_size, new, new_size)
    space = t.process.space
    # What can fail for want of a frame comes before anything is changed.
    space.table.own_all(old, old + old_size)
    space.table.own_all(new, new + new_size)
    moving.make_room(space.table, old, old + min(old_size, new_size), new)
    space.unmap(new, new + new_size)
    if new_size < old_size:
        space.unmap(old + new_size, old + old_size)
        old_size = new_size
    return _move(t, old, old_size, new_size, new)


def _move(t: Thread, old: int, old_size: int, new_size: int, new: int) -> int:
    space = t.process.space
    vma = space.isolate(old, old + old_size)
    if vma is None:
        raise Errno(errno.EFAULT)
    space.move(vma, new)
    moved = space.find(new)
    assert moved is not None
    if new_size > old_size:
        space.set_end(moved, max(moved.end, new + new_size))
    return new
