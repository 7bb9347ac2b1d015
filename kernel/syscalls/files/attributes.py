"""Sizes, modes, owners and times: truncate(2), fchmodat(2), utimensat(2), related calls."""

from __future__ import annotations

import stat
import struct

from kernel.base.errno import (
    EFAULT,
    EFBIG,
    EINVAL,
    EISDIR,
    ENODATA,
    ENODEV,
    EOPNOTSUPP,
    EPERM,
    ESPIPE,
)
from kernel.base.errors import Errno
from kernel.base.wait import Result
from kernel.syscalls.context import SyscallContext
from kernel.syscalls.file_size_limit import check_size
from kernel.syscalls.path_arguments import named_entry
from kernel.vfs.core import notify
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.linux_abi import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_SYMLINK_NOFOLLOW,
    MAX_FILE_SIZE,
    W_OK,
)
from kernel.vfs.core.open_file import Entry
from kernel.vfs.names.create_remove import recording_refusal

UTIME_NOW, UTIME_OMIT = (1 << 30) - 1, (1 << 30) - 2
FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE = 1, 2
_TIMES = struct.Struct("<qqqq")


def truncate(t: SyscallContext, path: int, length: int) -> Result:
    if length < 0:
        raise Errno(EINVAL)
    node, shown, entry = named_entry(t, AT_FDCWD, path, 0)
    if node.kind == stat.S_IFDIR:
        raise Errno(EISDIR)
    if node.kind != stat.S_IFREG:
        raise Errno(EINVAL)
    with recording_refusal(t.fs, lambda: shown):
        node.check(W_OK, t.fs.credentials)
        check_size(t, node, length)
        node.truncate_file(length)
    notify.emit_at(node, entry, notify.MODIFY)
    return 0


def ftruncate(t: SyscallContext, fd: int, length: int) -> Result:
    if length < 0:
        raise Errno(EINVAL)
    file = t.files.get_usable(fd)
    if not file.writable:
        raise Errno(EINVAL)
    if file.inode.kind == stat.S_IFREG:
        check_size(t, file.inode, length)
    file.truncate(length)
    notify.emit_of(file, notify.MODIFY)
    return 0


def fallocate(t: SyscallContext, fd: int, mode: int, offset: int, length: int) -> Result:
    """Allocates space for writes; only files in memory support it."""
    file = t.files.get_writable(fd)
    if offset < 0 or length <= 0:
        raise Errno(EINVAL)
    if offset + length > MAX_FILE_SIZE:
        raise Errno(EFBIG)
    node = file.inode
    if node.kind != stat.S_IFREG:
        raise Errno(ESPIPE if node.kind == stat.S_IFIFO else ENODEV)
    if mode == FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE:
        node.punch_file(offset, length)
        notify.emit_of(file, notify.MODIFY)
        return 0
    if mode & ~FALLOC_FL_KEEP_SIZE:
        raise Errno(EOPNOTSUPP)
    check_size(t, node, offset + length)
    node.reserve(offset, offset + length)
    if not mode and offset + length > node.size:
        file.truncate(offset + length)
    notify.emit_of(file, notify.MODIFY)
    return 0


def fchmod(t: SyscallContext, fd: int, mode: int) -> Result:
    file = t.files.get_usable(fd)
    with recording_refusal(t.fs, lambda: file.path):
        _chmod(t, file.inode, file.found_at, mode)
    return 0


def fchmodat(t: SyscallContext, dirfd: int, path: int, mode: int) -> Result:
    return fchmodat2(t, dirfd, path, mode, 0)


def fchmodat2(t: SyscallContext, dirfd: int, path: int, mode: int, flags: int) -> Result:
    if flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH):
        raise Errno(EINVAL)
    node, shown, entry = named_entry(t, dirfd, path, flags)
    with recording_refusal(t.fs, lambda: shown):
        _chmod(t, node, entry, mode)
    return 0


def _chmod(t: SyscallContext, node: Inode, entry: Entry | None, mode: int) -> None:
    if node.kind == stat.S_IFLNK:
        raise Errno(EOPNOTSUPP)
    _check_owner(t, node)
    node.chmod(mode & 0o7777)
    notify.emit_at(node, entry, notify.ATTRIB)


def _check_owner(t: SyscallContext, node: Inode) -> None:
    if t.fs.credentials.uid not in (0, node.stat().uid):
        raise Errno(EPERM)


def fchown(t: SyscallContext, fd: int, uid: int, gid: int) -> Result:
    file = t.files.get_usable(fd)
    with recording_refusal(t.fs, lambda: file.path):
        _chown(t, file.inode, file.found_at, _owner(uid), _owner(gid))
    return 0


def fchownat(t: SyscallContext, dirfd: int, path: int, uid: int, gid: int, flags: int) -> Result:
    if flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH):
        raise Errno(EINVAL)
    node, shown, entry = named_entry(t, dirfd, path, flags)
    with recording_refusal(t.fs, lambda: shown):
        _chown(t, node, entry, _owner(uid), _owner(gid))
    return 0


def _chown(t: SyscallContext, node: Inode, entry: Entry | None, uid: int, gid: int) -> None:
    """Root may change both; the owner the group, to one of its own (chown(2))."""
    status, caller = node.stat(), t.fs.credentials
    keeps_owner = uid in (-1, status.uid)
    may_have_group = gid in (-1, status.gid, caller.gid) or gid in caller.groups
    owns = caller.uid == status.uid or (uid, gid) == (-1, -1)
    if not caller.is_privileged and not (owns and keeps_owner and may_have_group):
        raise Errno(EPERM)
    node.chown(uid, gid)
    if (uid, gid) != (-1, -1):
        notify.emit_at(node, entry, notify.ATTRIB)


def _owner(number: int) -> int:
    """Converts a uid_t or gid_t; -1 means no change."""
    number &= 0xFFFFFFFF
    return -1 if number == 0xFFFFFFFF else number


def utimensat(t: SyscallContext, dirfd: int, path: int, times: int, flags: int) -> Result:
    if flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) or (flags and not path):
        raise Errno(EINVAL)
    atime, mtime = _read_times(t, times)
    if atime is None and mtime is None:
        return 0
    if not path:
        if dirfd == AT_FDCWD:
            raise Errno(EFAULT)
        file = t.files.get_usable(dirfd)
        node, shown, entry = file.inode, file.path, file.found_at
    else:
        node, shown, entry = named_entry(t, dirfd, path, flags)
    with recording_refusal(t.fs, lambda: shown):
        if t.fs.credentials.uid not in (0, node.stat().uid):
            if times:
                raise Errno(EPERM)
            node.check(W_OK, t.fs.credentials)
        node.set_times(atime, mtime)
    both = atime is not None and mtime is not None
    single = notify.ACCESS if mtime is None else notify.MODIFY
    notify.emit_at(node, entry, notify.ATTRIB if both else single)
    return 0


def _read_times(t: SyscallContext, address: int) -> tuple[int | None, int | None]:
    """Reads atime and mtime in nanoseconds since 1970; None means no change."""
    now = t.kernel.clock.realtime()
    if not address:
        return now, now
    a_seconds, a_nanos, m_seconds, m_nanos = _TIMES.unpack(t.mem.read(address, _TIMES.size))
    return _time(a_seconds, a_nanos, now), _time(m_seconds, m_nanos, now)


def _time(seconds: int, nanos: int, now: int) -> int | None:
    if nanos == UTIME_NOW:
        return now
    if nanos == UTIME_OMIT:
        return None
    if not 0 <= nanos < 1_000_000_000:
        raise Errno(EINVAL)
    # The range of ext4 (years 1901 to 2446), to which Linux clamps as well.
    return min(max(seconds, -(1 << 31)), 15_032_385_535) * 1_000_000_000 + nanos


def umask(t: SyscallContext, mask: int) -> Result:
    before, t.fs.umask = t.fs.umask, mask & 0o777
    return before


def no_xattr(t: SyscallContext, *arguments: int) -> Result:
    """Fails: extended attributes are not supported (setxattr(2), removexattr(2))."""
    raise Errno(EOPNOTSUPP)


def get_no_xattr(t: SyscallContext, *arguments: int) -> Result:
    raise Errno(ENODATA)


def list_no_xattrs(t: SyscallContext, *arguments: int) -> Result:
    return 0
