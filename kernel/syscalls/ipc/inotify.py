"""Watching files: inotify_init1(2), inotify_add_watch(2), inotify_rm_watch(2)."""

from __future__ import annotations

import stat

from kernel.base.errno import EINVAL, ENOTDIR
from kernel.base.errors import Errno
from kernel.syscalls.context import SyscallContext
from kernel.syscalls.path_arguments import node_at
from kernel.vfs.core.linux_abi import (
    AT_FDCWD,
    AT_SYMLINK_NOFOLLOW,
    O_CLOEXEC,
    O_NONBLOCK,
    R_OK,
)
from kernel.vfs.ipc.eventfd import AnonymousInode
from kernel.vfs.ipc.inotify import MASK_ADD, MASK_CREATE, InotifyFile

_ONLY_DIRECTORY, _DONT_FOLLOW = 0x0100_0000, 0x0200_0000
_KNOWN = 0xF700_EFFF


def inotify_init1(t: SyscallContext, flags: int) -> int:
    if flags & ~(O_CLOEXEC | O_NONBLOCK):
        raise Errno(EINVAL)
    namespace = t.fs.namespace
    file = InotifyFile(AnonymousInode(namespace.anonymous), flags & O_NONBLOCK, namespace.inotify)
    return t.files.install(file, cloexec=bool(flags & O_CLOEXEC))


def _instance(t: SyscallContext, fd: int) -> InotifyFile:
    file = t.files.get_usable(fd)
    if not isinstance(file, InotifyFile):
        raise Errno(EINVAL)
    return file


def inotify_add_watch(t: SyscallContext, fd: int, path: int, mask: int) -> int:
    if mask & ~_KNOWN or not mask:
        raise Errno(EINVAL)
    t.files.get_usable(fd)
    if mask & MASK_ADD and mask & MASK_CREATE:
        raise Errno(EINVAL)
    instance = _instance(t, fd)
    node = node_at(t, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW if mask & _DONT_FOLLOW else 0)
    if mask & _ONLY_DIRECTORY and node.kind != stat.S_IFDIR:
        raise Errno(ENOTDIR)
    node.check(R_OK, t.fs.credentials)
    return instance.watch(node, mask)


def inotify_rm_watch(t: SyscallContext, fd: int, number: int) -> int:
    _instance(t, fd).remove(number)
    return 0
