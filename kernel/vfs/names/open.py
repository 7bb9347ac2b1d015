"""Opening files by path and flags (open(2)), and finding programs to execute."""

from __future__ import annotations

import stat

from kernel.base.errno import (
    EACCES,
    EEXIST,
    EINVAL,
    EISDIR,
    ELOOP,
    ENOENT,
    ENOTDIR,
    ENXIO,
    EROFS,
    ESTALE,
)
from kernel.base.errors import Errno
from kernel.vfs.core import notify
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.linux_abi import (
    O_ACCMODE,
    O_CREAT,
    O_DIRECTORY,
    O_EXCL,
    O_NOFOLLOW,
    O_PATH,
    O_RDONLY,
    O_TMPFILE,
    O_TRUNC,
    O_WRONLY,
    R_OK,
    W_OK,
    X_OK,
)
from kernel.vfs.core.open_file import Entry, OpenFile, PathFile, RegularFile, SpecialInode
from kernel.vfs.names.directory import DirectoryFile
from kernel.vfs.names.fs_context import FsContext
from kernel.vfs.names.path_walk import ResolvedPath, entry_of, walk

_TMPFILE = O_TMPFILE & ~O_DIRECTORY


def open_path(fs: FsContext, start: Inode, path: str, flags: int, mode: int = 0) -> OpenFile:
    """Opens ``path`` from directory ``start``; a file that is created gets ``mode``."""
    try:
        return _open(fs, start, path, flags, mode)
    except Errno as error:
        if error.errno != ESTALE:
            raise
    return _open(fs, start, path, flags, mode)  # the name was replaced meanwhile


def _open(fs: FsContext, start: Inode, path: str, flags: int, mode: int) -> OpenFile:
    if flags & O_PATH:
        flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW
    elif flags & O_CREAT and flags & O_DIRECTORY:
        raise Errno(EINVAL)
    elif flags & _TMPFILE:
        return _open_unnamed(fs, start, path, flags, mode)
    exclusive = flags & O_CREAT and flags & O_EXCL
    follow = not (flags & O_NOFOLLOW or exclusive)
    found = walk(fs, start, path, follow=follow, creating=bool(flags & O_CREAT))
    node = found.node
    if node is None:
        if not flags & O_CREAT:
            raise Errno(ENOENT)
        return _create(fs, found, flags, mode)
    if exclusive:
        raise Errno(EEXIST)
    shown = _path_of(fs, found, node)
    if flags & O_PATH:
        if flags & O_DIRECTORY and node.kind != stat.S_IFDIR:
            raise Errno(ENOTDIR)
        return PathFile(found.require_node(), flags, shown)
    _check(fs, found, node, flags)
    try:
        file = open_node(fs, node, flags, shown)
    except Errno as error:
        if error.errno == EROFS:
            fs.namespace.record_refused_write(shown)
        raise
    entry = entry_of(found)
    notify.opened(file, entry)
    if flags & O_TRUNC and isinstance(file, RegularFile):
        notify.emit_of(file, notify.MODIFY)
    return file


def _check(fs: FsContext, found: ResolvedPath, node: Inode, flags: int) -> None:
    """Checks that the type of an existing node matches the flags."""
    kind = node.kind
    if flags & O_DIRECTORY and kind != stat.S_IFDIR:
        raise Errno(ENOTDIR)
    if kind == stat.S_IFLNK:
        raise Errno(ELOOP)
    found.require_node()
    if kind == stat.S_IFDIR and (flags & O_ACCMODE != O_RDONLY or flags & (O_CREAT | O_TRUNC)):
        raise Errno(EISDIR)


def open_node(fs: FsContext, node: Inode, flags: int, path: str) -> OpenFile:
    """Opens a node, if its permission bits allow it."""
    kind, access = node.kind, flags & O_ACCMODE
    want = 0 if access == O_WRONLY else R_OK
    if access != O_RDONLY or (flags & O_TRUNC and kind == stat.S_IFREG):
        want |= W_OK
    node.check(want, fs.credentials)
    if kind == stat.S_IFDIR:
        return DirectoryFile(fs.namespace, node, flags, path)
    if isinstance(node, SpecialInode):
        return node.open(flags, path)
    if kind != stat.S_IFREG:
        raise Errno(ENXIO)
    file = RegularFile(node, flags, path)
    if flags & O_TRUNC:
        try:
            node.truncate_file(0)
        except Errno:
            file.acquire().release()
            raise
    return file


def _create(fs: FsContext, found: ResolvedPath, flags: int, mode: int) -> OpenFile:
    if found.must_be_directory:
        raise Errno(EISDIR)
    shown = fs.namespace.path_in(found.parent, found.name)
    try:
        found.parent.check(W_OK | X_OK, fs.credentials)
        node = found.parent.create(found.name, mode & ~fs.umask & 0o7777)
        node.take_owner(fs.credentials.uid, fs.credentials.gid)
        # The creator of a file may write it, whatever its mode is.
        file = RegularFile(node, flags & ~O_TRUNC, shown)
    except Errno as error:
        if error.errno == EROFS:
            fs.namespace.record_refused_write(shown)
        raise
    notify.emit(found.parent, notify.CREATE, found.name)
    notify.opened(file, entry_of(found))
    return file


def _open_unnamed(fs: FsContext, start: Inode, path: str, flags: int, mode: int) -> OpenFile:
    if not flags & O_DIRECTORY or flags & O_ACCMODE == O_RDONLY:
        raise Errno(EINVAL)
    directory = walk(fs, start, path).require_node()
    if directory.kind != stat.S_IFDIR:
        raise Errno(ENOTDIR)
    shown = fs.namespace.path_of(directory)
    try:
        directory.check(W_OK | X_OK, fs.credentials)
        node = directory.create_unnamed(mode & ~fs.umask & 0o7777)
        node.take_owner(fs.credentials.uid, fs.credentials.gid)
    except Errno as error:
        if error.errno == EROFS:
            fs.namespace.record_refused_write(shown)
        raise
    name = f"#{node.stat().ino}"
    file = RegularFile(node, flags, f"{shown}/{name} (deleted)")
    notify.opened(file, Entry(directory, name))
    return file


def _path_of(fs: FsContext, found: ResolvedPath, node: Inode) -> str:
    if node.kind == stat.S_IFDIR:
        try:
            return fs.namespace.path_of(node)
        except Errno:
            return f"{node.name} (deleted)"
    if found.link_text is not None:
        return found.link_text
    return fs.namespace.path_in(found.parent, found.name)


def open_for_exec(
    fs: FsContext, path: str, start: Inode | None = None, *, follow: bool = True
) -> tuple[Inode, str]:
    """Returns the program that execve(2) of ``path`` runs, and its guest path.

    EACCES unless it is a regular file that may be executed; ELOOP for a link without ``follow``.
    The node keeps its file on the host open for as long as it is mapped.
    """
    found = walk(fs, start or fs.cwd, path, follow=follow)
    node = found.require_node()
    check_executable(fs, node)
    return node, _path_of(fs, found, node)


def check_executable(fs: FsContext, node: Inode) -> None:
    """Checks that a node may be executed (execve(2), execveat(2))."""
    if node.kind == stat.S_IFLNK:
        raise Errno(ELOOP)
    if node.kind != stat.S_IFREG:
        raise Errno(EACCES)
    node.check(X_OK, fs.credentials)
