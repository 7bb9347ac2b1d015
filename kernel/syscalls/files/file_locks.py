"""Locks of flock(2), and record locks of fcntl(2)."""

from __future__ import annotations

import struct
from dataclasses import replace

from kernel.base.errno import EAGAIN, EBADF, EINVAL, EOVERFLOW
from kernel.base.errors import Errno
from kernel.base.wait import Blocking, Result, Wait
from kernel.syscalls.context import SyscallContext
from kernel.vfs.core.file_locks import END, Locks, Record, Span
from kernel.vfs.core.linux_abi import SEEK_CUR, SEEK_END, SEEK_SET
from kernel.vfs.core.open_file import OpenFile

LOCK_SH, LOCK_EX, LOCK_NB, LOCK_UN = 1, 2, 4, 8
F_RDLCK, F_WRLCK, F_UNLCK = 0, 1, 2
F_GETLK = 5
_GETS, _WAITS, _OPEN_FILE = (5, 36), (7, 38), (36, 37, 38)
_FLOCK = struct.Struct("<hh4xqqi4x")
"""struct flock: l_type, l_whence, l_start, l_len, l_pid."""


def locks_of(t: SyscallContext, file: OpenFile) -> Locks:
    if file.inode.locks is None:
        file.inode.locks = Locks(t.fs.namespace.budget)
    return file.inode.locks


def flock(t: SyscallContext, fd: int, operation: int) -> Result:
    file = t.files.get_usable(fd)
    kind = operation & ~LOCK_NB
    locks = locks_of(t, file)
    if kind == LOCK_UN:
        locks.drop_flock(file)
        return 0
    if kind not in (LOCK_SH, LOCK_EX):
        raise Errno(EINVAL)
    if locks.try_flock(file, kind == LOCK_EX):
        return 0
    if operation & LOCK_NB:
        raise Errno(EAGAIN)
    return _wait_for_flock(file, locks, kind == LOCK_EX)


def _wait_for_flock(file: OpenFile, locks: Locks, exclusive: bool) -> Blocking:
    file.acquire()
    try:
        while not locks.try_flock(file, exclusive):
            yield Wait(f"a lock of {file.short_path}", (locks.wait_queue,))
        return 0
    finally:
        file.release()


def record_lock(t: SyscallContext, file: OpenFile, command: int, address: int) -> Result:
    """Executes F_GETLK, F_SETLK and F_SETLKW, and those of open file descriptions (F_OFD_…)."""
    kind, whence, start, length, pid = _FLOCK.unpack(t.mem.read(address, _FLOCK.size))
    by_file = command in _OPEN_FILE
    if kind not in (F_RDLCK, F_WRLCK, F_UNLCK) or (by_file and pid):
        raise Errno(EINVAL)
    if command == F_GETLK and kind == F_UNLCK:
        raise Errno(EINVAL)
    owner: object = file if by_file else t.files
    span = _span(file, whence, start, length)
    wanted = Record(span, kind == F_WRLCK, owner, -1 if by_file else t.process.pid)
    locks = locks_of(t, file)
    if command in _GETS:
        return _report(t, locks, wanted, address, kind)
    if kind == F_UNLCK:
        locks.unlock(span, owner)
        return 0
    if not (file.writable if kind == F_WRLCK else file.readable):
        raise Errno(EBADF)
    if locks.conflict(wanted) is None:
        locks.lock(wanted)
        return 0
    if command not in _WAITS:
        raise Errno(EAGAIN)
    return _wait_for_record(t, file, locks, wanted)


def _wait_for_record(t: SyscallContext, file: OpenFile, locks: Locks, wanted: Record) -> Blocking:
    while locks.conflict(wanted) is not None:
        yield Wait(f"a lock of {file.short_path}", (locks.wait_queue,))
    holders = [file] if wanted.owner is file else [open_file for _, open_file in t.files.items()]
    if not file.refs or file not in holders:  # closed meanwhile: nothing would release the lock
        raise Errno(EBADF)
    locks.lock(replace(wanted))
    return 0


def _span(file: OpenFile, whence: int, start: int, length: int) -> Span:
    if whence == SEEK_CUR:
        start += int(getattr(file, "offset", 0))
    elif whence == SEEK_END:
        start += file.inode.size
    elif whence != SEEK_SET:
        raise Errno(EINVAL)
    if length < 0:
        start, length = start + length, -length
    if start < 0:
        raise Errno(EINVAL)
    end = start + length if length else END
    if end > END or start >= END:
        raise Errno(EOVERFLOW)
    return Span(start, end)


def _report(t: SyscallContext, locks: Locks, wanted: Record, address: int, kind: int) -> int:
    lock = locks.conflict(wanted)
    if lock is None:
        t.mem.write(address, struct.pack("<h", F_UNLCK))
        return 0
    length = 0 if lock.span.end == END else lock.span.end - lock.span.start
    kind = F_WRLCK if lock.exclusive else F_RDLCK
    t.mem.write(address, _FLOCK.pack(kind, SEEK_SET, lock.span.start, length, lock.pid))
    return 0
