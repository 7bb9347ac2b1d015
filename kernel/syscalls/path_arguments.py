"""Path arguments: a directory descriptor or AT_FDCWD, and the address of the path."""

from __future__ import annotations

import stat

from kernel.base.errno import EBADF, ENOENT, ENOTDIR
from kernel.base.errors import Errno
from kernel.syscalls.context import SyscallContext
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.linux_abi import AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW
from kernel.vfs.core.open_file import Entry
from kernel.vfs.names.path_walk import entry_of, walk


def read_path(t: SyscallContext, address: int) -> str:
    """Reads the path at ``address``; EFAULT, ENAMETOOLONG."""
    return t.mem.read_cstr(address).decode("utf-8", "surrogateescape")


def start_of(t: SyscallContext, dirfd: int, path: str) -> Inode:
    """Returns the directory at which resolution of ``path`` starts (openat(2)); EBADF, ENOTDIR."""
    if path.startswith("/"):
        return t.fs.root
    if dirfd == AT_FDCWD:
        return t.fs.cwd
    node = t.files.get(dirfd).inode
    if path and node.kind != stat.S_IFDIR:
        raise Errno(ENOTDIR)
    return node


def node_at(t: SyscallContext, dirfd: int, address: int, flags: int) -> Inode:
    """Resolves (dirfd, path); ``flags`` are AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH."""
    return named_node(t, dirfd, address, flags)[0]


def named_node(t: SyscallContext, dirfd: int, address: int, flags: int) -> tuple[Inode, str]:
    """Returns the node of :func:`node_at`, and its path for messages."""
    node, shown, _ = named_entry(t, dirfd, address, flags)
    return node, shown


def named_entry(
    t: SyscallContext, dirfd: int, address: int, flags: int
) -> tuple[Inode, str, Entry | None]:
    """As :func:`named_node`, and the entry to whose watchers the node's events go."""
    path = read_path(t, address) if address or not flags & AT_EMPTY_PATH else ""
    if not path:
        if not flags & AT_EMPTY_PATH:
            raise Errno(ENOENT)
        if dirfd == AT_FDCWD:
            return t.fs.cwd, display_path(t, t.fs.cwd), None
        file = t.files.get(dirfd)
        return file.inode, file.path, file.found_at
    start = start_of(t, dirfd, path)
    found = walk(t.fs, start, path, follow=not flags & AT_SYMLINK_NOFOLLOW)
    node = found.require_node()
    return node, t.fs.namespace.path_in(found.parent, found.name), entry_of(found)


def display_path(t: SyscallContext, directory: Inode) -> str:
    """Returns a directory's path for messages."""
    try:
        return t.fs.namespace.path_of(directory)
    except Errno:
        return directory.name


def directory_of(t: SyscallContext, fd: int) -> Inode:
    """Returns the directory at ``fd``, which may be an O_PATH one; EBADF, ENOTDIR."""
    if fd < 0:
        raise Errno(EBADF)
    node = t.files.get(fd).inode
    if node.kind != stat.S_IFDIR:
        raise Errno(ENOTDIR)
    return node
