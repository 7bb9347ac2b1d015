"""Reads and writes: read(2), write(2), their vector and offset forms, and lseek(2)."""

from __future__ import annotations

from kernel.base.errno import EINVAL, EOPNOTSUPP
from kernel.base.errors import Errno
from kernel.base.wait import Result
from kernel.syscalls.context import SyscallContext
from kernel.syscalls.transfer import noted, read_from, read_into, write_at, write_from
from kernel.syscalls.user_buffers import read_iovec
from kernel.vfs.core import notify
from kernel.vfs.core.linux_abi import MAX_RW

RWF_HIPRI, RWF_DSYNC, RWF_SYNC, RWF_NOWAIT, RWF_APPEND = 1, 2, 4, 8, 16


def read(t: SyscallContext, fd: int, buffer: int, count: int) -> Result:
    file = t.files.get_readable(fd)
    return noted(file, notify.ACCESS, read_into(t, file, [(buffer, min(count, MAX_RW))]))


def write(t: SyscallContext, fd: int, buffer: int, count: int) -> Result:
    file = t.files.get_writable(fd)
    return noted(file, notify.MODIFY, write_from(t, file, [(buffer, min(count, MAX_RW))]))


def readv(t: SyscallContext, fd: int, iov: int, count: int) -> Result:
    file = t.files.get_readable(fd)
    return noted(file, notify.ACCESS, read_into(t, file, read_iovec(t, iov, count)))


def writev(t: SyscallContext, fd: int, iov: int, count: int) -> Result:
    file = t.files.get_writable(fd)
    return noted(file, notify.MODIFY, write_from(t, file, read_iovec(t, iov, count)))


def pread64(t: SyscallContext, fd: int, buffer: int, count: int, offset: int) -> Result:
    file = t.files.get_readable(fd)
    _check_offset(offset)
    return noted(file, notify.ACCESS, read_from(file, t, [(buffer, min(count, MAX_RW))], offset))


def pwrite64(t: SyscallContext, fd: int, buffer: int, count: int, offset: int) -> Result:
    file = t.files.get_writable(fd)
    _check_offset(offset)
    return noted(file, notify.MODIFY, write_at(t, file, [(buffer, min(count, MAX_RW))], offset))


def preadv(t: SyscallContext, fd: int, iov: int, count: int, offset: int) -> Result:
    file = t.files.get_readable(fd)
    _check_offset(offset)
    return noted(file, notify.ACCESS, read_from(file, t, read_iovec(t, iov, count), offset))


def pwritev(t: SyscallContext, fd: int, iov: int, count: int, offset: int) -> Result:
    file = t.files.get_writable(fd)
    _check_offset(offset)
    return noted(file, notify.MODIFY, write_at(t, file, read_iovec(t, iov, count), offset))


def preadv2(
    t: SyscallContext, fd: int, iov: int, count: int, offset: int, high: int, flags: int
) -> Result:
    if flags & ~(RWF_HIPRI | RWF_DSYNC | RWF_SYNC):
        raise Errno(EOPNOTSUPP)
    if offset == -1:
        return readv(t, fd, iov, count)
    return preadv(t, fd, iov, count, offset)


def pwritev2(
    t: SyscallContext, fd: int, iov: int, count: int, offset: int, high: int, flags: int
) -> Result:
    if flags & ~(RWF_HIPRI | RWF_DSYNC | RWF_SYNC):
        raise Errno(EOPNOTSUPP)
    if offset == -1:
        return writev(t, fd, iov, count)
    return pwritev(t, fd, iov, count, offset)


def lseek(t: SyscallContext, fd: int, offset: int, whence: int) -> Result:
    return t.files.get_usable(fd).seek(offset, whence)


def _check_offset(offset: int) -> None:
    if offset < 0:
        raise Errno(EINVAL)
