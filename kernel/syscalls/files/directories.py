"""Directories and names: getdents64(2), chdir(2), mkdirat(2), renameat2(2), related calls."""

from __future__ import annotations

import stat
import struct

from kernel.base.errno import EEXIST, EINVAL, ENAMETOOLONG, ENOENT, ENOTDIR, EPERM, ERANGE
from kernel.base.errors import Errno
from kernel.base.wait import Result
from kernel.syscalls.context import SyscallContext
from kernel.syscalls.path_arguments import directory_of, named_node, read_path, start_of
from kernel.vfs.core import notify
from kernel.vfs.core.linux_abi import (
    AT_EMPTY_PATH,
    AT_REMOVEDIR,
    AT_SYMLINK_FOLLOW,
    AT_SYMLINK_NOFOLLOW,
    PATH_MAX,
    X_OK,
)
from kernel.vfs.names import create_remove
from kernel.vfs.names.directory import DirectoryFile
from kernel.vfs.names.path_walk import walk

_DIRENT = struct.Struct("<QqHB")
MAX_LISTING = 1 << 16
"""Maximum number of bytes that one getdents64(2) returns, whatever the buffer's size is."""


def getdents64(t: SyscallContext, fd: int, buffer: int, count: int) -> Result:
    file = t.files.get_readable(fd)
    if not isinstance(file, DirectoryFile):
        raise Errno(ENOTDIR)
    before = file.offset
    packed = _pack_entries(file, min(count & 0xFFFFFFFF, MAX_LISTING))
    try:
        t.mem.write(buffer, packed)
    except Errno:
        file.offset = before
        raise
    notify.emit_of(file, notify.ACCESS)
    return len(packed)


def _pack_entries(file: DirectoryFile, room: int) -> bytes:
    """Encodes as many struct linux_dirent64 as fit; EINVAL when none fits."""
    packed = bytearray()
    while True:
        entry = file.entry()
        if entry is None:
            return bytes(packed)
        name, ino, kind = entry
        raw = name.encode("utf-8", "surrogateescape")
        length = (_DIRENT.size + len(raw) + 1 + 7) & ~7
        if len(packed) + length > room:
            if not packed:
                raise Errno(EINVAL)
            return bytes(packed)
        file.offset += 1
        packed += (_DIRENT.pack(ino, file.offset, length, kind) + raw).ljust(length, b"\0")


def getcwd(t: SyscallContext, buffer: int, size: int) -> Result:
    path = t.fs.namespace.path_of(t.fs.cwd).encode("utf-8", "surrogateescape") + b"\0"
    if len(path) > PATH_MAX:
        raise Errno(ENAMETOOLONG)
    if size < len(path):
        raise Errno(ERANGE)
    t.mem.write(buffer, path)
    return len(path)


def chdir(t: SyscallContext, path: int) -> Result:
    node = walk(t.fs, t.fs.cwd, read_path(t, path)).require_node()
    if node.kind != stat.S_IFDIR:
        raise Errno(ENOTDIR)
    node.check(X_OK, t.fs.credentials)
    t.fs.cwd = node
    return 0


def fchdir(t: SyscallContext, fd: int) -> Result:
    node = directory_of(t, fd)
    node.check(X_OK, t.fs.credentials)
    t.fs.cwd = node
    return 0


def chroot(t: SyscallContext, path: int) -> Result:
    raise Errno(EPERM)


def mkdirat(t: SyscallContext, dirfd: int, path: int, mode: int) -> Result:
    text = read_path(t, path)
    create_remove.make_directory(t.fs, start_of(t, dirfd, text), text, mode)
    return 0


def mknodat(t: SyscallContext, dirfd: int, path: int, mode: int, device: int) -> Result:
    text = read_path(t, path)
    kind, start = stat.S_IFMT(mode & 0xFFFF), start_of(t, dirfd, text)
    if kind == stat.S_IFIFO:
        create_remove.make_fifo(t.fs, start, text, mode & 0o7777)
    elif kind in (0, stat.S_IFREG):
        create_remove.make_file(t.fs, start, text, mode & 0o7777)
    elif kind == stat.S_IFSOCK:
        create_remove.make_socket(t.fs, start, text, mode & 0o7777)
    elif kind in (stat.S_IFCHR, stat.S_IFBLK, stat.S_IFDIR):
        if walk(t.fs, start, text, follow=False).node is not None:
            raise Errno(EEXIST)
        raise Errno(EPERM)
    else:
        raise Errno(EINVAL)
    return 0


def unlinkat(t: SyscallContext, dirfd: int, path: int, flags: int) -> Result:
    if flags & 0xFFFFFFFF & ~AT_REMOVEDIR:
        raise Errno(EINVAL)
    text = read_path(t, path)
    start = start_of(t, dirfd, text)
    if flags & AT_REMOVEDIR:
        create_remove.remove_directory(t.fs, start, text)
    else:
        create_remove.remove_file(t.fs, start, text)
    return 0


def symlinkat(t: SyscallContext, target: int, dirfd: int, path: int) -> Result:
    text, to = read_path(t, path), read_path(t, target)
    create_remove.make_symlink(t.fs, start_of(t, dirfd, text), text, to)
    return 0


def linkat(
    t: SyscallContext, dirfd: int, path: int, new_dirfd: int, new_path: int, flags: int
) -> Result:
    if flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH):
        raise Errno(EINVAL)
    how = flags & AT_EMPTY_PATH | (0 if flags & AT_SYMLINK_FOLLOW else AT_SYMLINK_NOFOLLOW)
    node, _ = named_node(t, dirfd, path, how)
    text = read_path(t, new_path)
    create_remove.make_link(t.fs, node, start_of(t, new_dirfd, text), text)
    return 0


def renameat2(
    t: SyscallContext, dirfd: int, path: int, new_dirfd: int, new_path: int, flags: int
) -> Result:
    old, new = read_path(t, path), read_path(t, new_path)
    if not old or not new:
        raise Errno(ENOENT)
    places = (start_of(t, dirfd, old), old), (start_of(t, new_dirfd, new), new)
    create_remove.rename(t.fs, *places, flags & 0xFFFFFFFF)
    return 0


def renameat(t: SyscallContext, dirfd: int, path: int, new_dirfd: int, new_path: int) -> Result:
    return renameat2(t, dirfd, path, new_dirfd, new_path, 0)


def readlinkat(t: SyscallContext, dirfd: int, path: int, buffer: int, size: int) -> Result:
    if size <= 0:
        raise Errno(EINVAL)
    node, _ = named_node(t, dirfd, path, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)
    if node.kind != stat.S_IFLNK:
        raise Errno(ENOENT if not t.mem.read_cstr(path) else EINVAL)
    text = node.readlink().encode("utf-8", "surrogateescape")[:size]
    t.mem.write(buffer, text)
    return len(text)
