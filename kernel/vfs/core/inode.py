"""Inodes: the operations of a node, which each file system implements."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from kernel.base.errno import EACCES, EINVAL, ENOTDIR, EPERM, EROFS
from kernel.base.errors import Errno
from kernel.vfs.core.credentials import Credentials
from kernel.vfs.core.file_locks import Locks
from kernel.vfs.core.filesystem import FileSystem
from kernel.vfs.core.linux_abi import CHUNK, W_OK


@dataclass(slots=True)
class Stat:
    """Attributes of a node, as of stat(2). Times are in nanoseconds since 1970."""

    dev: int
    ino: int
    mode: int
    nlink: int
    uid: int
    gid: int
    rdev: int
    size: int
    atime: int
    mtime: int
    ctime: int
    blksize: int = 4096
    allocated: int | None = None
    """Bytes of storage; None when that is the size (a file without holes)."""

    @property
    def blocks(self) -> int:
        """st_blocks: units of 512 bytes."""
        return ((self.size if self.allocated is None else self.allocated) + 511) // 512


class Mapping(Protocol):
    """Pages of a file in frames of the machine, which may be newer than the node's own bytes.

    The page cache sets it (:attr:`Inode.mapping`) when a process maps the file.
    """

    users: int
    """Number of mappings; with none, the pages are only cached."""

    def overlay(self, offset: int, data: bytes) -> bytes:
        """Returns ``data``, read from the node at ``offset``, updated with the pages' bytes."""

    def after_write(self, offset: int, data: bytes) -> None:
        """Updates the pages after ``data`` was written to the node."""

    def after_punch(self, start: int, end: int) -> None:
        """Updates the pages after the bytes [start, end) were zeroed."""

    def after_truncate(self, size: int) -> None:
        """Updates the pages after the size of the node was set."""


class Listener(Protocol):
    """A receiver of the events of a node (:mod:`kernel.vfs.core.notify`)."""

    def happened(self, mask: int, name: str, cookie: int, removed: bool, /) -> None:
        """Receives an event of the node, or of ``name`` in it."""

    def ended(self) -> None:
        """Ends the watch: the node has no name."""


class Inode:
    """A node of a file system. An operation that its type does not have fails as in Linux."""

    filesystem: FileSystem
    mapping: Mapping | None = None
    locks: Locks | None = None
    """Advisory locks; created with the first one."""

    socket: object = None
    """The socket that is bound to this node (unix(7))."""

    watches: dict[Listener, None] | None = None
    """Those who watch it."""
    open_files: dict[object, None] | None = None
    """Its open files that were found by a name."""
    nameless = False
    """True once the last name of a watched node was removed."""

    # A directory has exactly one path, given by these two. The root's parent is the root.
    parent: Inode | None = None
    """Parent of a directory; None when the directory was removed."""
    name: str = ""

    @property
    def in_memory(self) -> Mapping | None:
        """The content, if it consists of pages that can be mapped directly."""
        return None

    @property
    def kind(self) -> int:
        """The S_IFMT bits: stat.S_IFREG, S_IFDIR, S_IFLNK, S_IFCHR, S_IFIFO, S_IFSOCK."""
        return stat.S_IFMT(self.stat().mode)

    def stat(self) -> Stat:
        raise NotImplementedError

    @property
    def is_unlinked(self) -> bool:
        """True when its last name was removed, so that it cannot be opened by a name again."""
        return False

    def drop_unused_pages(self) -> None:
        """Drops cached pages of an unlinked node that no process maps."""
        if self.is_unlinked and self.mapping is not None and not self.mapping.users:
            self.mapping = None

    def check(self, want: int, credentials: Credentials) -> None:
        """Checks for permission for all of ``want`` (R_OK, W_OK, X_OK), as access(2) does; EACCES,
        or EROFS for W_OK on a read-only file system.
        """
        status = self.stat()
        if want & W_OK and self.filesystem.read_only and not stat.S_ISCHR(status.mode):
            raise Errno(EROFS)
        if not credentials.permits(want, status.mode, status.uid, status.gid):
            raise Errno(EACCES)

    def check_search(self, credentials: Credentials) -> None:
        """EACCES without permission to look up names in this directory (path_resolution(7))."""

    def acquire(self, want: int) -> None:
        """Opens this regular file for R_OK, W_OK or both, until :meth:`release`."""

    def release(self) -> None:
        """Ends one use that :meth:`acquire` began."""

    # Regular files. Offsets and sizes are in bytes.

    def read_at(self, offset: int, count: int) -> bytes:
        """Returns up to ``count`` bytes of the node's own content, fewer at its end."""
        raise Errno(EINVAL)

    def write_at(self, offset: int, data: bytes) -> int:
        raise Errno(EINVAL)

    def truncate(self, size: int) -> None:
        raise Errno(EINVAL)

    def mark_modified(self) -> None:
        """Updates the times after a change of the content through a mapping."""

    def sync(self) -> None:
        """Writes the content to stable storage, where the file system has one (fsync(2))."""

    def seek_data(self, offset: int, hole: bool) -> int:
        """Returns the next offset in data, or in a hole (lseek(2)); ``offset`` < size."""
        return self.size if hole else offset

    def reserve(self, offset: int, end: int) -> None:
        """Allocates the space of [offset, end) (fallocate(2)); ENOSPC."""

    def punch(self, offset: int, end: int) -> None:
        """Zeroes [offset, end), which lies within the file, by writing zeros over data."""
        while offset < end:
            offset = self.seek_data(offset, False)
            count = min(CHUNK, end - offset)
            if count <= 0:
                return
            offset += self.write_at(offset, bytes(count))

    @property
    def size(self) -> int:
        return self.stat().size

    # Operations of system calls: the same, coherent with shared mappings.

    def read_file(self, offset: int, count: int) -> bytes:
        data = self.read_at(offset, count)
        return data if self.mapping is None else self.mapping.overlay(offset, data)

    def write_file(self, offset: int, data: bytes) -> int:
        count = self.write_at(offset, data)
        if self.mapping is not None:
            self.mapping.after_write(offset, data[:count])
        return count

    def truncate_file(self, size: int) -> None:
        self.truncate(size)
        if self.mapping is not None:
            self.mapping.after_truncate(size)

    def punch_file(self, offset: int, length: int) -> None:
        """Zeroes a range (FALLOC_FL_PUNCH_HOLE of fallocate(2))."""
        self.punch(offset, min(offset + length, self.size))
        if self.mapping is not None:
            self.mapping.after_punch(offset, offset + length)

    # Attributes.

    def chmod(self, mode: int) -> None:
        """Sets the mode bits 0o7777 (chmod(2))."""
        raise Errno(EROFS if self.filesystem.read_only else EPERM)

    def chown(self, uid: int, gid: int) -> None:
        """Sets the owner; an ID of -1 is not changed (chown(2))."""
        raise Errno(EROFS if self.filesystem.read_only else EPERM)

    def set_times(self, atime: int | None, mtime: int | None) -> None:
        """Sets times, in nanoseconds since 1970; None is not changed (utimensat(2))."""
        raise Errno(EROFS if self.filesystem.read_only else EPERM)

    # Directories. Names are single components, never "", "." or "..".

    def lookup(self, name: str) -> Inode:
        raise Errno(ENOTDIR)

    def entries(self) -> Iterable[tuple[str, int, int]]:
        """Lists (name, inode number, DT_ type) of each entry, without "." and ".."."""
        raise Errno(ENOTDIR)

    def create(self, name: str, mode: int) -> Inode:
        """Creates a regular file; EEXIST when the name exists."""
        raise Errno(EROFS)

    def create_unnamed(self, mode: int) -> Inode:
        """Creates a regular file without a name (O_TMPFILE)."""
        raise Errno(EROFS)

    def mkdir(self, name: str, mode: int) -> Inode:
        raise Errno(EROFS)

    def take_owner(self, uid: int, gid: int) -> None:
        """Sets the owner of a node just created, where the file system keeps owners itself."""

    def mksocket(self, name: str, mode: int) -> Inode:
        """Creates the node of a socket (bind(2), mknod(2))."""
        raise Errno(EPERM)

    def mkfifo(self, name: str, mode: int) -> Inode:
        raise Errno(EROFS)

    def symlink(self, name: str, target: str) -> Inode:
        raise Errno(EROFS)

    def link(self, name: str, node: Inode) -> None:
        raise Errno(EROFS)

    def unlink(self, name: str) -> None:
        raise Errno(EROFS)

    def rmdir(self, name: str) -> None:
        raise Errno(EROFS)

    def rename(self, name: str, to: Inode, new_name: str) -> None:
        """Moves an entry to directory ``to``, replacing the entry ``new_name`` (rename(2))."""
        raise Errno(EROFS)

    def exchange(self, name: str, to: Inode, new_name: str) -> None:
        """Swaps two entries (renameat2(2) with RENAME_EXCHANGE)."""
        raise Errno(EROFS if self.filesystem.read_only else EINVAL)

    # Links.

    def readlink(self) -> str:
        raise Errno(EINVAL)

    def link_target(self) -> Inode | None:
        """Returns the node that a magic link of /proc refers to; None for a link that is a text."""
        return None
