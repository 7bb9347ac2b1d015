"""open(2): from a path and flags to an open file."""

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
from kernel.vfs.core.open_file import OpenFile, PathFile, RegularFile, SpecialInode
from kernel.vfs.names.directory import DirectoryFile
from kernel.vfs.names.fs_context import FsContext
from kernel.vfs.names.path_walk import Found, walk

_TMPFILE = O_TMPFILE & ~O_DIRECTORY


def open_path(fs: FsContext, start: Inode, path: str, flags: int, mode: int = 0) -> OpenFile:
    """A new open file for ``path`` from directory ``start``; ``mode`` for a file that is made."""
    try:
        return _open(fs, start, path, flags, mode)
    except Errno as error:
        if error.errno != ESTALE:
            raise
    return _open(fs, start, path, flags, mode)  # another file took the name while we looked


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
        return PathFile(found.need(), flags, shown)
    _check(fs, found, node, flags)
    try:
        return open_node(fs, node, flags, shown)
    except Errno as error:
        if error.errno == EROFS:
            fs.namespace.refuse(shown)
        raise


def _check(fs: FsContext, found: Found, node: Inode, flags: int) -> None:
    """Whether an existing node may be opened so, by its kind."""
    kind = node.kind
    if flags & O_DIRECTORY and kind != stat.S_IFDIR:
        raise Errno(ENOTDIR)
    if kind == stat.S_IFLNK:
        raise Errno(ELOOP)
    found.need()
    if kind == stat.S_IFDIR and (flags & O_ACCMODE != O_RDONLY or flags & (O_CREAT | O_TRUNC)):
        raise Errno(EISDIR)


def open_node(fs: FsContext, node: Inode, flags: int, path: str) -> OpenFile:
    """A new open file of a node that was found, if its permission bits allow it."""
    kind, access = node.kind, flags & O_ACCMODE
    want = 0 if access == O_WRONLY else R_OK
    if access != O_RDONLY or (flags & O_TRUNC and kind == stat.S_IFREG):
        want |= W_OK
    node.check(want, fs.who)
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


def _create(fs: FsContext, found: Found, flags: int, mode: int) -> OpenFile:
    if found.directory_meant:
        raise Errno(EISDIR)
    shown = fs.namespace.path_in(found.parent, found.name)
    try:
        found.parent.check(W_OK | X_OK, fs.who)
        node = found.parent.create(found.name, mode & ~fs.umask & 0o7777)
        # Whoever makes a file may write it, whatever its bits say.
        return RegularFile(node, flags & ~O_TRUNC, shown)
    except Errno as error:
        if error.errno == EROFS:
            fs.namespace.refuse(shown)
        raise


def _open_unnamed(fs: FsContext, start: Inode, path: str, flags: int, mode: int) -> OpenFile:
    if not flags & O_DIRECTORY or flags & O_ACCMODE == O_RDONLY:
        raise Errno(EINVAL)
    directory = walk(fs, start, path).need()
    if directory.kind != stat.S_IFDIR:
        raise Errno(ENOTDIR)
    shown = fs.namespace.path_of(directory)
    try:
        directory.check(W_OK | X_OK, fs.who)
        node = directory.create_unnamed(mode & ~fs.umask & 0o7777)
    except Errno as error:
        if error.errno == EROFS:
            fs.namespace.refuse(shown)
        raise
    return RegularFile(node, flags, f"{shown}/#{node.stat().ino} (deleted)")


def _path_of(fs: FsContext, found: Found, node: Inode) -> str:
    if node.kind == stat.S_IFDIR:
        try:
            return fs.namespace.path_of(node)
        except Errno:
            return f"{node.name} (deleted)"
    if found.shown is not None:
        return found.shown
    return fs.namespace.path_in(found.parent, found.name)


def open_for_exec(
    fs: FsContext, path: str, start: Inode | None = None, *, follow: bool = True
) -> tuple[Inode, str]:
    """The program that execve(2) of ``path`` runs, and its guest path.

    EACCES unless it is a regular file that may be executed; ELOOP for a link when it is not to be
    followed. The node keeps what it needs of the host open for as long as it is mapped.
    """
    found = walk(fs, start or fs.cwd, path, follow=follow)
    node = found.need()
    check_executable(fs, node)
    return node, _path_of(fs, found, node)


def check_executable(fs: FsContext, node: Inode) -> None:
    """The same check for a node that was found already (execveat(2) of a descriptor)."""
    if node.kind == stat.S_IFLNK:
        raise Errno(ELOOP)
    if node.kind != stat.S_IFREG:
        raise Errno(EACCES)
    node.check(X_OK, fs.who)
