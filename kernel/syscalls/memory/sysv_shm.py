"""System V shared memory (shmget(2), shmop(2), shmctl(2))."""

from __future__ import annotations

import struct

from emu.machine.pte import PAGE_MASK
from kernel.base.errno import EACCES, EINVAL, ENOMEM, EPERM
from kernel.base.errors import Errno
from kernel.mm.backing.sysv_segments import (
    LARGEST,
    MOST_SEGMENTS,
    SHM_DEST,
    SHM_LOCKED,
    Owner,
    Segment,
)
from kernel.mm.mappings.vma import LOWEST, USER_END, Prot, Vma, page_up
from kernel.syscalls.context import SyscallContext
from kernel.syscalls.memory.mappings import check_room

IPC_RMID, IPC_SET, IPC_STAT, IPC_INFO = 0, 1, 2, 3
SHM_LOCK, SHM_UNLOCK, SHM_STAT, SHM_INFO, SHM_STAT_ANY = 11, 12, 13, 14, 15
SHM_RDONLY, SHM_RND, SHM_REMAP, SHM_EXEC = 0o10000, 0o20000, 0o40000, 0o100000
_PERMISSION = struct.Struct("<iIIIIIHHxxxxQQ")
"""struct ipc64_perm: key, uid, gid, cuid, cgid, mode, seq."""
_STATUS = struct.Struct("<QqqqiiQQQ")
"""The rest of struct shmid64_ds: size, atime, dtime, ctime, cpid, lpid, nattch."""
_INFO = struct.Struct("<9Q")
"""struct shminfo64: shmmax, shmmin, shmmni, shmseg, shmall."""
_USAGE = struct.Struct("<i4xQQQQQ")
"""struct shm_info: used_ids, shm_tot, shm_rss, shm_swp, swap_attempts, swap_successes."""
_READ, _WRITE, _EXECUTE = 4, 2, 1
_SEQUENCE_SHIFT = 15


def shmget(t: SyscallContext, key: int, size: int, flags: int) -> int:
    credentials = t.fs.credentials
    uid, gid = credentials.uid, credentials.gid
    owner = Owner(uid, gid, uid, gid, flags & 0o777)
    segment = t.kernel.segments.get(key, size, flags, owner)
    if segment.owner is owner:
        segment.creator = t.process.pid
    else:
        wanted = flags & 0o777
        _check(t, segment, (wanted >> 6 | wanted >> 3 | wanted) & 7)
    return segment.number


def _check(t: SyscallContext, segment: Segment, want: int) -> None:
    """EACCES unless the caller has all rights of ``want``."""
    owner, caller = segment.owner, t.fs.credentials
    mode = owner.mode
    if caller.uid in (owner.uid, owner.creator_uid):
        mode >>= 6
    elif {caller.gid, *caller.groups} & {owner.gid, owner.creator_gid}:
        mode >>= 3
    if not caller.is_privileged and mode & want != want:
        raise Errno(EACCES)


def shmat(t: SyscallContext, number: int, address: int, flags: int) -> int:
    segment = t.kernel.segments.find(number)
    space, length = t.process.space, page_up(segment.size)
    if address & PAGE_MASK:
        if not flags & SHM_RND:
            raise Errno(EINVAL)
        address &= ~PAGE_MASK
    if flags & SHM_REMAP and not address:
        raise Errno(EINVAL)
    want = _READ if flags & SHM_RDONLY else _READ | _WRITE
    _check(t, segment, want | (_EXECUTE if flags & SHM_EXEC else 0))
    check_room(t, length, replaced=0, is_data=False, reserve=False)
    if not address:
        start = space.find_gap(length, 0)
    else:
        start = _given_place(t, address, length, replace=bool(flags & SHM_REMAP))
    prot = Prot.READ if flags & SHM_RDONLY else Prot.READ | Prot.WRITE
    if flags & SHM_EXEC:
        prot |= Prot.EXEC
    vma = Vma(
        start, start + length, prot, shared=True, backing=segment.memory, name=segment.name,
        may_write=not flags & SHM_RDONLY,
    )  # fmt: skip
    space.add(vma)
    segment.attached_at, segment.last_user = _seconds(t), t.process.pid
    return start


def _given_place(t: SyscallContext, address: int, length: int, *, replace: bool) -> int:
    space = t.process.space
    if address > USER_END - length:
        raise Errno(ENOMEM)
    if address < LOWEST:
        raise Errno(EPERM)
    if space.overlapping(address, address + length):
        if not replace:
            raise Errno(EINVAL)
        space.unmap(address, address + length)
    return address


def _seconds(t: SyscallContext) -> int:
    return t.kernel.clock.realtime() // 1_000_000_000


def shmdt(t: SyscallContext, address: int) -> int:
    """Removes the mappings of the segment that was attached at ``address``."""
    space = t.process.space
    segments = {id(segment.memory): segment for _, segment in t.kernel.segments.all()}
    first = None if address & PAGE_MASK else space.find(address)
    segment = None if first is None else segments.get(id(first.backing))
    if first is None or segment is None or first.offset != address - first.start:
        raise Errno(EINVAL)
    for vma in space.overlapping(address, address + page_up(segment.size)):
        if vma.backing is segment.memory and vma.start - vma.offset == address:
            space.unmap(vma.start, vma.end)
    segment.detached_at, segment.last_user = _seconds(t), t.process.pid
    return 0


def shmctl(t: SyscallContext, number: int, command: int, buffer: int) -> int:
    segments = t.kernel.segments
    if command == IPC_INFO:
        info = (LARGEST, 1, MOST_SEGMENTS, MOST_SEGMENTS, LARGEST, 0, 0, 0, 0)
        t.mem.write(buffer, _INFO.pack(*info))
        return _last_index(t)
    if command == SHM_INFO:
        every = [segment for _, segment in segments.all()]
        total = sum(page_up(segment.size) for segment in every) >> 12
        resident = sum(len(segment.memory.held()) for segment in every)
        t.mem.write(buffer, _USAGE.pack(len(every), total, resident, 0, 0, 0))
        return _last_index(t)
    if command in (SHM_STAT, SHM_STAT_ANY):
        segment = segments.at(number)
        if command == SHM_STAT:
            _check(t, segment, _READ)
        t.mem.write(buffer, _status(segment))
        return segment.number
    if command not in (IPC_STAT, IPC_SET, IPC_RMID, SHM_LOCK, SHM_UNLOCK):
        raise Errno(EINVAL)
    segment = segments.find(number)
    if command == IPC_STAT:
        _check(t, segment, _READ)
        t.mem.write(buffer, _status(segment))
        return 0
    _change(t, segment, command, buffer)
    return 0


def _change(t: SyscallContext, segment: Segment, command: int, buffer: int) -> None:
    raw = t.mem.read(buffer, _PERMISSION.size) if command == IPC_SET else b""
    owner, caller = segment.owner, t.fs.credentials
    if not caller.is_privileged and caller.uid not in (owner.uid, owner.creator_uid):
        raise Errno(EPERM)
    if command == IPC_RMID:
        t.kernel.segments.remove(segment)
    elif command == IPC_SET:
        _, owner.uid, owner.gid, _, _, mode, *_ = _PERMISSION.unpack(raw)
        owner.mode = mode & 0o777
        segment.changed_at = _seconds(t)
    else:
        segment.locked = command == SHM_LOCK


def _last_index(t: SyscallContext) -> int:
    return max((index for index, _ in t.kernel.segments.all()), default=0)


def _status(segment: Segment) -> bytes:
    owner = segment.owner
    mode = owner.mode | (SHM_DEST if segment.removed else 0) | (SHM_LOCKED * segment.locked)
    permission = _PERMISSION.pack(
        *(segment.key, owner.uid, owner.gid, owner.creator_uid, owner.creator_gid, mode),
        *(segment.number >> _SEQUENCE_SHIFT, 0, 0, 0),
    )
    times = segment.attached_at, segment.detached_at, segment.changed_at
    users = segment.creator, segment.last_user, segment.attached, 0, 0
    return permission + _STATUS.pack(segment.size, *times, *users)
