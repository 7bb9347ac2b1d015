"""Attributes and access checks: fstat(2), statx(2), statfs(2), faccessat(2)."""

from __future__ import annotations

import struct

from kernel.base.errno import EINVAL
from kernel.base.errors import Errno
from kernel.base.wait import Result
from kernel.syscalls.context import SyscallContext
from kernel.syscalls.path_arguments import node_at
from kernel.vfs.core.inode import Inode, Stat
from kernel.vfs.core.linux_abi import (
    AT_EACCESS,
    AT_EMPTY_PATH,
    AT_NO_AUTOMOUNT,
    AT_SYMLINK_NOFOLLOW,
    NAME_MAX,
    major,
    minor,
)

_STAT = struct.Struct("<QQIIIIQQqiiqqQqQqQII")
_STATX_HEAD = struct.Struct("<IIQIIIHxxQQQQ")
_STATX_TIME = struct.Struct("<qIi")
_STATX_TAIL = struct.Struct("<IIIIQ")
STATX_SIZE = 256
STATX_BASIC_STATS = 0x7FF
STATX_RESERVED = 1 << 31
AT_STATX_SYNC_TYPE = 0x6000
_STATFS = struct.Struct("<QQQQQQQiiQQQ32x")
ST_RDONLY, ST_VALID = 1, 0x20
_SECOND = 1_000_000_000
_STAT_FLAGS = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH


def pack_stat(status: Stat) -> bytes:
    """Encodes struct stat of riscv64 (128 bytes)."""
    return _STAT.pack(
        status.dev, status.ino, status.mode, status.nlink, status.uid, status.gid, status.rdev, 0,
        status.size, status.blksize, 0, status.blocks, *divmod(status.atime, _SECOND),
        *divmod(status.mtime, _SECOND), *divmod(status.ctime, _SECOND), 0, 0,
    )  # fmt: skip


def pack_statx(status: Stat) -> bytes:
    """Encodes struct statx (256 bytes)."""
    head = _STATX_HEAD.pack(
        STATX_BASIC_STATS, status.blksize, 0, status.nlink, status.uid, status.gid,
        status.mode, status.ino, status.size, status.blocks, 0,
    )  # fmt: skip
    times = [status.atime, 0, status.ctime, status.mtime]
    packed = b"".join(_STATX_TIME.pack(*divmod(time, _SECOND), 0) for time in times)
    tail = _STATX_TAIL.pack(
        major(status.rdev), minor(status.rdev), major(status.dev), minor(status.dev), 0
    )
    return (head + packed + tail).ljust(STATX_SIZE, b"\0")


def fstat(t: SyscallContext, fd: int, address: int) -> Result:
    t.mem.write(address, pack_stat(t.files.get(fd).inode.stat()))
    return 0


def newfstatat(t: SyscallContext, dirfd: int, path: int, address: int, flags: int) -> Result:
    if flags & ~_STAT_FLAGS:
        raise Errno(EINVAL)
    t.mem.write(address, pack_stat(node_at(t, dirfd, path, flags).stat()))
    return 0


def statx(t: SyscallContext, dirfd: int, path: int, flags: int, mask: int, address: int) -> Result:
    if flags & ~(_STAT_FLAGS | AT_STATX_SYNC_TYPE) or mask & STATX_RESERVED:
        raise Errno(EINVAL)
    if flags & AT_STATX_SYNC_TYPE == AT_STATX_SYNC_TYPE:
        raise Errno(EINVAL)
    t.mem.write(address, pack_statx(node_at(t, dirfd, path, flags).stat()))
    return 0


def statfs(t: SyscallContext, path: int, address: int) -> Result:
    return _statfs(t, node_at(t, -100, path, 0), address)


def fstatfs(t: SyscallContext, fd: int, address: int) -> Result:
    return _statfs(t, t.files.get(fd).inode, address)


def _statfs(t: SyscallContext, node: Inode, address: int) -> int:
    filesystem = node.filesystem
    status = filesystem.statfs()
    flags = ST_VALID | (ST_RDONLY if filesystem.read_only else 0)
    packed = _STATFS.pack(
        status.magic, status.bsize, status.blocks, status.bfree, status.bavail, status.files,
        status.ffree, filesystem.device, 0, NAME_MAX, status.bsize, flags,
    )  # fmt: skip
    t.mem.write(address, packed)
    return 0


def faccessat(t: SyscallContext, dirfd: int, path: int, mode: int) -> Result:
    return faccessat2(t, dirfd, path, mode, 0)


def faccessat2(t: SyscallContext, dirfd: int, path: int, mode: int, flags: int) -> Result:
    mode &= 0xFFFFFFFF
    if mode & ~7 or flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH):
        raise Errno(EINVAL)
    node = node_at(t, dirfd, path, flags)
    if mode:
        node.check(mode, t.fs.credentials)
    return 0
