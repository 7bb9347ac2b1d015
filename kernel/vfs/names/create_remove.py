"""Creating, removing and renaming names: mkdir(2), unlink(2), rename(2) and related calls.

Each function resolves a path from a start directory; the file system gets single names only. A
write that fails because the guest was granted no write access is recorded for the user.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kernel.base.errno import (
    EBUSY,
    EEXIST,
    EINVAL,
    EISDIR,
    ENOENT,
    ENOTDIR,
    ENOTEMPTY,
    EPERM,
    EROFS,
    EXDEV,
)
from kernel.base.errors import Errno
from kernel.vfs.core import notify
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.linux_abi import W_OK, X_OK
from kernel.vfs.core.open_file import Entry
from kernel.vfs.names.fs_context import FsContext
from kernel.vfs.names.path_walk import ResolvedPath, walk

RENAME_NOREPLACE = 1
RENAME_EXCHANGE = 2


@contextmanager
def recording_refusal(fs: FsContext, path: Callable[[], str]) -> Iterator[None]:
    """Records a refused write to ``path`` when the block fails with EROFS."""
    try:
        yield
    except Errno as error:
        if error.errno == EROFS:
            fs.namespace.record_refused_write(path())
        raise


def _path(fs: FsContext, found: ResolvedPath) -> Callable[[], str]:
    return lambda: fs.namespace.path_in(found.parent, found.name)


def _add(
    fs: FsContext,
    start: Inode,
    path: str,
    add: Callable[[Inode, str], Inode | None],
    *,
    directory: bool,
) -> None:
    found = walk(fs, start, path, follow=False, creating=True)
    if found.node is not None:
        raise Errno(EEXIST)
    if found.must_be_directory and not directory:
        raise Errno(ENOENT)
    with recording_refusal(fs, _path(fs, found)):
        found.parent.check(W_OK | X_OK, fs.credentials)
        node = add(found.parent, found.name)
        if node is not None:
            node.take_owner(fs.credentials.uid, fs.credentials.gid)
    mark = notify.IS_DIRECTORY if directory else 0
    notify.emit(found.parent, notify.CREATE | mark, found.name)


def make_directory(fs: FsContext, start: Inode, path: str, mode: int) -> None:
    mode &= ~fs.umask & 0o1777
    _add(fs, start, path.rstrip("/") or path, lambda at, name: at.mkdir(name, mode), directory=True)


def make_fifo(fs: FsContext, start: Inode, path: str, mode: int) -> None:
    mode &= ~fs.umask & 0o7777
    _add(fs, start, path, lambda at, name: at.mkfifo(name, mode), directory=False)


def make_socket(fs: FsContext, start: Inode, path: str, mode: int) -> Inode:
    """Creates the node of a socket; returns it."""
    mode &= ~fs.umask & 0o7777
    nodes: list[Inode] = []

    def add(at: Inode, name: str) -> Inode:
        nodes.append(at.mksocket(name, mode))
        return nodes[0]

    _add(fs, start, path, add, directory=False)
    return nodes[0]


def make_file(fs: FsContext, start: Inode, path: str, mode: int) -> None:
    mode &= ~fs.umask & 0o7777
    _add(fs, start, path, lambda at, name: at.create(name, mode), directory=False)


def make_symlink(fs: FsContext, start: Inode, path: str, target: str) -> None:
    if not target:
        raise Errno(ENOENT)
    _add(fs, start, path, lambda at, name: at.symlink(name, target), directory=False)


def make_link(fs: FsContext, node: Inode, start: Inode, path: str) -> None:
    """Adds a name for ``node`` (link(2))."""
    if node.kind == stat.S_IFDIR:
        raise Errno(EPERM)

    def add(at: Inode, name: str) -> None:
        if at.filesystem is not node.filesystem:
            raise Errno(EXDEV)
        at.link(name, node)
        notify.emit(node, notify.ATTRIB)

    _add(fs, start, path, add, directory=False)


def remove_file(fs: FsContext, start: Inode, path: str) -> None:
    """Removes the name of a file (unlink(2))."""
    found = walk(fs, start, path, follow=False)
    if not found.has_name:
        raise Errno(EISDIR)
    if found.require_node().kind == stat.S_IFDIR:
        raise Errno(EISDIR)
    _remove(fs, found, lambda at, name: at.unlink(name))


def remove_directory(fs: FsContext, start: Inode, path: str) -> None:
    """Removes an empty directory (rmdir(2))."""
    found = walk(fs, start, path.rstrip("/") or path, follow=False)
    if not found.has_name:
        raise Errno({".": EINVAL, "..": ENOTEMPTY}.get(found.name, EBUSY))
    if found.require_node().kind != stat.S_IFDIR:
        raise Errno(ENOTDIR)
    _remove(fs, found, lambda at, name: at.rmdir(name))


def _remove(fs: FsContext, found: ResolvedPath, remove: Callable[[Inode, str], None]) -> None:
    with recording_refusal(fs, _path(fs, found)):
        found.parent.check(W_OK | X_OK, fs.credentials)
        _check_no_mount(fs, found)
        node = found.require_node()
        was_last = notify.is_last_name(node)
        remove(found.parent, found.name)
    notify.removed(node, Entry(found.parent, found.name), was_last=was_last)


def _check_no_mount(fs: FsContext, found: ResolvedPath) -> None:
    if fs.namespace.is_mount(found.parent, found.name) or fs.namespace.has_mounts(found.node):
        raise Errno(EBUSY)


def rename(fs: FsContext, old: tuple[Inode, str], new: tuple[Inode, str], flags: int = 0) -> None:
    """Renames ``old`` to ``new``, each a start directory and a path (renameat2(2))."""
    if flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE) or flags == 3:
        raise Errno(EINVAL)
    source = walk(fs, old[0], old[1].rstrip("/") or old[1], follow=False)
    target = walk(fs, new[0], new[1].rstrip("/") or new[1], follow=False, creating=True)
    if not source.has_name or not target.has_name:
        raise Errno(EBUSY)
    node = source.require_node()
    _check_rename(fs, source, target, flags)
    slashed = old[1].endswith("/") or new[1].endswith("/")
    if slashed and node.kind != stat.S_IFDIR:
        raise Errno(ENOTDIR)
    with recording_refusal(fs, _path(fs, source)):
        source.parent.check(W_OK | X_OK, fs.credentials)
    with recording_refusal(fs, _path(fs, target)):
        target.parent.check(W_OK | X_OK, fs.credentials)
    was_last = target.node is not None and notify.is_last_name(target.node)
    if flags & RENAME_EXCHANGE:
        source.parent.exchange(source.name, target.parent, target.name)
    else:
        source.parent.rename(source.name, target.parent, target.name)
    if node is not target.node:
        _report_rename(fs, source, target, flags, was_last)


def _report_rename(
    fs: FsContext, source: ResolvedPath, target: ResolvedPath, flags: int, was_last: bool
) -> None:
    node, other = source.require_node(), target.node
    old, new = Entry(source.parent, source.name), Entry(target.parent, target.name)
    cookies = fs.namespace.inotify
    notify.moved(node, old, new, cookies.next_cookie())
    if other is not None and flags & RENAME_EXCHANGE:
        notify.emit(node, notify.MOVE_SELF)
        notify.moved(other, new, old, cookies.next_cookie())
        notify.emit(other, notify.MOVE_SELF)
        notify.follow(other, new, old)
    elif other is not None:
        mark = notify.IS_DIRECTORY if other.kind == stat.S_IFDIR else 0
        notify.emit(other, notify.ATTRIB | mark)
        notify.emit(node, notify.MOVE_SELF)
        notify.lose_name(other, new, was_last=was_last)
    else:
        notify.emit(node, notify.MOVE_SELF)
    notify.follow(node, old, new)


def _check_rename(fs: FsContext, source: ResolvedPath, target: ResolvedPath, flags: int) -> None:
    if flags & RENAME_NOREPLACE and target.node is not None:
        raise Errno(EEXIST)
    if flags & RENAME_EXCHANGE and target.node is None:
        raise Errno(ENOENT)
    if source.parent.filesystem is not target.parent.filesystem:
        raise Errno(EXDEV)
    _check_no_mount(fs, source)
    if target.node is not None:
        _check_no_mount(fs, target)
