"""Writing data to stable storage, and hints: fsync(2), sync_file_range(2), fadvise64(2)."""

from __future__ import annotations

from kernel.base.errno import EINVAL, ESPIPE
from kernel.base.errors import Errno
from kernel.base.wait import Result
from kernel.syscalls.context import SyscallContext

_SYNC_FLAGS = 7


def sync(t: SyscallContext) -> Result:
    return 0


def fsync(t: SyscallContext, fd: int) -> Result:
    file = t.files.get_usable(fd)
    if file.stream:
        raise Errno(EINVAL)
    file.inode.sync()
    return 0


def syncfs(t: SyscallContext, fd: int) -> Result:
    t.files.get_usable(fd)
    return 0


def sync_file_range(t: SyscallContext, fd: int, offset: int, length: int, flags: int) -> Result:
    if flags & ~_SYNC_FLAGS or offset < 0 or length < 0 or offset + length >= 1 << 63:
        raise Errno(EINVAL)
    file = t.files.get_usable(fd)
    if file.stream:
        raise Errno(ESPIPE)
    file.inode.sync()
    return 0


def fadvise64(t: SyscallContext, fd: int, offset: int, length: int, advice: int) -> Result:
    file = t.files.get_usable(fd)
    if file.stream:
        raise Errno(ESPIPE)
    if not 0 <= advice <= 5 or length < 0:
        raise Errno(EINVAL)
    return 0


def readahead(t: SyscallContext, fd: int, offset: int, count: int) -> Result:
    file = t.files.get_readable(fd)
    if file.stream:
        raise Errno(EINVAL)
    return 0
