"""Calls of file handles and of fanotify(7), which answer as to a process without privilege."""

from __future__ import annotations

from kernel.base.errno import EINVAL, EOPNOTSUPP, EPERM
from kernel.base.errors import Errno
from kernel.syscalls.context import SyscallContext
from kernel.syscalls.path_arguments import node_at
from kernel.vfs.core.linux_abi import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_SYMLINK_FOLLOW,
    AT_SYMLINK_NOFOLLOW,
)

_HANDLE_FLAGS = AT_SYMLINK_FOLLOW | AT_EMPTY_PATH | 0x203
_MAX_HANDLE = 128
_MARK_ACTIONS, _MARK_FLAGS = 0x83, 0x7FF


def name_to_handle_at(
    t: SyscallContext, dirfd: int, path: int, handle: int, mount: int, flags: int
) -> int:
    """Fails: no file system here can find a file by a handle, as on overlayfs."""
    if flags & ~_HANDLE_FLAGS:
        raise Errno(EINVAL)
    follow = 0 if flags & AT_SYMLINK_FOLLOW else AT_SYMLINK_NOFOLLOW
    node_at(t, dirfd, path, follow | flags & AT_EMPTY_PATH)
    raise Errno(EOPNOTSUPP)


def open_by_handle_at(t: SyscallContext, mount: int, handle: int, flags: int) -> int:
    size = t.mem.read_u32(handle)
    if not 0 < size <= _MAX_HANDLE:
        raise Errno(EINVAL)
    if mount != AT_FDCWD:
        t.files.get(mount)
    raise Errno(EPERM)


def fanotify_init(t: SyscallContext, flags: int, event_flags: int) -> int:
    raise Errno(EPERM)


def fanotify_mark(t: SyscallContext, fd: int, flags: int, mask: int, dirfd: int, path: int) -> int:
    """Fails: no descriptor can be of fanotify_init(2)."""
    if mask >> 32 or flags & ~_MARK_FLAGS or (flags & _MARK_ACTIONS).bit_count() != 1:
        raise Errno(EINVAL)
    t.files.get_usable(fd)
    raise Errno(EINVAL)
