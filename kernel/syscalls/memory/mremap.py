"""Growing, shrinking and moving a mapping with its pages (mremap(2))."""

from __future__ import annotations

from emu.machine.pte import HUGE_SIZE, PAGE_MASK, PAGE_SIZE
from kernel.base.budget import Kind
from kernel.base.errno import EAGAIN, EFAULT, EINVAL, ENOMEM, EPERM
from kernel.base.errors import Errno
from kernel.mm.address_space import AddressSpace
from kernel.mm.mappings.vma import LOWEST, MAX_VMAS, USER_END, Vma, page_up
from kernel.syscalls.context import SyscallContext
from kernel.syscalls.memory.hugetlb import huge_page_up
from kernel.syscalls.memory.mappings import check_room
from kernel.syscalls.memory.mlock import populate_locked

_MAYMOVE, _FIXED, _DONTUNMAP = 1, 2, 4
_MAX_NEW_VMAS = 4


def mremap(t: SyscallContext, old: int, old_size: int, new_size: int, flags: int, new: int) -> int:
    start = _remap(t, old, old_size, new_size, flags, new)
    if page_up(new_size) > page_up(old_size):
        populate_locked(t, start + page_up(old_size), start + page_up(new_size))
    return start


def _remap(t: SyscallContext, old: int, old_size: int, new_size: int, flags: int, new: int) -> int:
    if flags & ~(_MAYMOVE | _FIXED | _DONTUNMAP) or not new_size or old & PAGE_MASK:
        raise Errno(EINVAL)
    if flags & (_FIXED | _DONTUNMAP) and not flags & _MAYMOVE:
        raise Errno(EINVAL)
    if max(old_size, new_size) > USER_END:
        raise Errno(EINVAL)
    old_size, new_size = page_up(old_size), page_up(new_size)
    if flags & _DONTUNMAP and old_size != new_size:
        raise Errno(EINVAL)
    space = t.process.space
    vma = space.find(old)
    if vma is None:
        raise Errno(EFAULT)
    if vma.in_huge_pages:
        old_size, new_size = huge_page_up(old_size), huge_page_up(new_size)
        unaligned = old % HUGE_SIZE or (flags & _FIXED and new % HUGE_SIZE)
        if new_size > old_size or unaligned or flags & _DONTUNMAP:
            raise Errno(EINVAL)
    if not flags & (_FIXED | _DONTUNMAP) and new_size <= old_size:
        if new_size < old_size:
            space.unmap(old + new_size, old + old_size)
        return old
    if flags & _FIXED:
        _check_target(old, old_size, new, new_size)
        _check_count(space, 2)
    if old + old_size > vma.end:
        if flags & _FIXED and old_size == new_size:
            return _move_several(t, old, old_size, new, keep=bool(flags & _DONTUNMAP))
        raise Errno(EFAULT)
    if not old_size:
        if not vma.shared:
            raise Errno(EINVAL)
        check_room(t, new_size, is_data=False)
        return _duplicate(t, vma, old, new_size, flags, new)
    if vma.locked and not space.may_lock(new_size - old_size):
        raise Errno(EAGAIN)
    if flags & _DONTUNMAP:
        return _move_pages(t, vma, old, new_size, new, fixed=bool(flags & _FIXED))
    if flags & _FIXED:
        return _move_to(t, old, old_size, new_size, new)
    check_room(t, new_size - old_size, is_data=vma.is_data)
    if old + old_size == vma.end and _can_extend(space, vma, old + new_size):
        space.set_end(vma, old + new_size)
        return old
    if not flags & _MAYMOVE:
        raise Errno(ENOMEM)
    return _move(t, old, old_size, new_size, space.find_gap(new_size))


def _can_extend(space: AddressSpace, vma: Vma, end: int) -> bool:
    return end <= space.mmap_top and not space.overlapping(vma.end, end)


def _duplicate(t: SyscallContext, vma: Vma, old: int, size: int, flags: int, new: int) -> int:
    """Creates a second mapping of a shared mapping's pages, for an old size of 0."""
    if not flags & _MAYMOVE:
        raise Errno(ENOMEM)
    space = t.process.space
    _check_count(space)
    start = new if flags & _FIXED else space.find_gap(size)
    copy = vma.part(max(old, vma.start), vma.end)
    copy.start, copy.end = start, start + size
    if flags & _FIXED:
        space.unmap(start, start + size)
    space.add(copy)
    return start


def _check_target(old: int, old_size: int, new: int, new_size: int) -> None:
    """Raises EINVAL unless the new range has user addresses and does not overlap the old, and EPERM
    for the lowest addresses.
    """
    if new & PAGE_MASK or new > USER_END - new_size:
        raise Errno(EINVAL)
    if new < old + max(old_size, PAGE_SIZE) and old < new + new_size:
        raise Errno(EINVAL)
    if new < LOWEST:
        raise Errno(EPERM)


def _move_to(t: SyscallContext, old: int, old_size: int, new_size: int, new: int) -> int:
    space = t.process.space
    # All steps that may fail for lack of frames precede the first change.
    space.table.own_all(old, old + old_size)
    space.table.own_all(new, new + new_size)
    space.make_room(old, old + min(old_size, new_size), new)
    space.unmap(new, new + new_size)
    if new_size < old_size:
        space.unmap(old + new_size, old + old_size)
        old_size = new_size
    elif new_size > old_size:
        vma = space.find(old)
        check_room(t, new_size - old_size, is_data=vma is not None and vma.is_data)
    return _move(t, old, old_size, new_size, new)


def _move_several(t: SyscallContext, old: int, size: int, new: int, *, keep: bool) -> int:
    """Moves all mappings of a range (Linux 6.17), which may have holes: what is mapped where a hole
    would be moved to remains. ``keep`` leaves them mapped, without their pages.
    """
    space = t.process.space
    found = space.overlapping(old, old + size)
    if any(vma.in_huge_pages for vma in found):
        raise Errno(EINVAL)
    # All steps that may fail for lack of frames precede the first change.
    space.table.own_all(old, old + size)
    space.table.own_all(new, new + size)
    space.make_room(old, old + size, new)
    for start, end in [(max(vma.start, old), min(vma.end, old + size)) for vma in found]:
        part, to = end - start, new + start - old
        if keep:
            vma = space.find(start)
            assert vma is not None
            _move_pages(t, vma, start, part, to, fixed=True)
        else:
            _move_to(t, start, part, part, to)
    return new


def _move(t: SyscallContext, old: int, old_size: int, new_size: int, new: int) -> int:
    space = t.process.space
    _check_count(space)
    vma = space.isolate(old, old + old_size)
    if vma is None:
        raise Errno(EFAULT)
    space.move(vma, new)
    moved = space.find(new)
    assert moved is not None
    if new_size > old_size:
        space.set_end(moved, max(moved.end, new + new_size))
    return new


def _check_count(space: AddressSpace, further: int = 0) -> None:
    """ENOMEM unless the limit allows the mappings that splitting and moving one creates; for a
    fixed place, which is unmapped first, 2 ``further`` ones.
    """
    if len(space.vmas) + further > MAX_VMAS - _MAX_NEW_VMAS:
        raise Errno(ENOMEM)


def _check_budget(space: AddressSpace, vma: Vma) -> None:
    """ENOMEM unless the budget allows these mappings."""
    space.frames.budget.take(Kind.MAPPING, _MAX_NEW_VMAS * vma.cost)
    space.frames.budget.give_back(Kind.MAPPING, _MAX_NEW_VMAS * vma.cost)


def _move_pages(t: SyscallContext, vma: Vma, old: int, size: int, new: int, *, fixed: bool) -> int:
    """Moves the pages; the old range remains mapped without them (MREMAP_DONTUNMAP)."""
    space = t.process.space
    if fixed or new:
        _check_target(old, size, new, size)
    check_room(t, size, is_data=vma.is_data)
    if not fixed:
        new = space.find_gap(size, new)
    # All steps that may fail for lack of frames or budget precede the first change.
    _check_count(space)
    _check_budget(space, vma)
    space.table.own_all(old, old + size)
    space.table.own_all(new, new + size)
    space.make_room(old, old + size, new)
    space.unmap(new, new + size)
    emptied = vma.part(old, old + size)
    emptied.locked = emptied.lock_on_fault = False
    _move(t, old, size, size, new)
    space.add(emptied)
    return new
