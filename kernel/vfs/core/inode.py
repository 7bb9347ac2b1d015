"""What every file system's node can do, whatever it is made of."""

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
    """What stat(2) tells of a node. Times are in nanoseconds since 1970."""

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
    """Bytes really stored, when that is not the size (a file with holes)."""

    @property
    def blocks(self) -> int:
        """512-byte blocks, st_blocks."""
        return ((self.size if self.allocated is None else self.allocated) + 511) // 512


class Mapping(Protocol):
    """The pages of a file that are in guest frames and may be newer than the node's own bytes.

    The page cache puts one on a node (:attr:`Inode.mapping`) when a process maps it.
    """

    users: int
    """How many mappings there are now; with none, the pages are just kept."""

    def overlay(self, offset: int, data: bytes) -> bytes:
        """``data``, read from the node at ``offset``, with the mapped pages' bytes laid over."""

    def written(self, offset: int, data: bytes) -> None:
        """Tells the mapped pages of bytes that were written to the node."""

    def punched(self, start: int, end: int) -> None:
        """Reports to the mapped pages that the bytes of [start, end) are zeros now."""

    def truncated(self, size: int) -> None:
        """Tells the mapped pages that the node now ends at ``size``."""


class Inode:
    """A node of a file system. What a kind of node can't do fails with the errno Linux gives."""

    filesystem: FileSystem
    mapping: Mapping | None = None
    locks: Locks | None = None
    """Advisory locks, made when the first is asked for (kernel.vfs.core.file_locks)."""

    # A directory has one place in the namespace; these two name it (the root's parent is itself).
    parent: Inode | None = None
    """The directory this directory lies in; None when it was removed."""
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
    def nameless(self) -> bool:
        """Whether its last name was removed: nobody will open it by a name again."""
        return False

    def forget_pages(self) -> None:
        """Lets go of cached pages that nothing maps; called when the last name was removed."""
        if self.nameless and self.mapping is not None and not self.mapping.users:
            self.mapping = None

    def check(self, want: int, who: Credentials) -> None:
        """EACCES unless ``who`` may do all of ``want`` (R_OK, W_OK, X_OK); EROFS to write where
        nobody can (access(2)).
        """
        status = self.stat()
        if want & W_OK and self.filesystem.read_only and not stat.S_ISCHR(status.mode):
            raise Errno(EROFS)
        if not who.may(want, status.mode, status.uid, status.gid):
            raise Errno(EACCES)

    def check_search(self, who: Credentials) -> None:
        """EACCES unless ``who`` may look names up in this directory (path_resolution(7))."""

    def acquire(self, want: int) -> None:
        """Someone opens this regular file for R_OK, W_OK or both; see :meth:`release`."""

    def release(self) -> None:
        """One who had acquired the node has closed it."""

    # Regular files. Offsets and sizes are in bytes.

    def read_at(self, offset: int, count: int) -> bytes:
        """Up to ``count`` bytes of the node's own content; fewer at its end."""
        raise Errno(EINVAL)

    def write_at(self, offset: int, data: bytes) -> int:
        raise Errno(EINVAL)

    def truncate(self, size: int) -> None:
        raise Errno(EINVAL)

    def changed(self) -> None:
        """Records a change of the content through a mapping."""

    def sync(self) -> None:
        """Puts the content where it survives, as far as this file system can (fsync(2))."""

    def seek_data(self, offset: int, hole: bool) -> int:
        """The next offset that lies in data, or in a hole (lseek(2)); below :attr:`size`."""
        return self.size if hole else offset

    def reserve(self, offset: int, end: int) -> None:
        """Allocates space to write [offset, end) (fallocate(2)); ENOSPC."""

    def punch(self, offset: int, end: int) -> None:
        """Makes [offset, end), which lies within the file, read as zeros, by writing zeros where
        there is data.
        """
        while offset < end:
            offset = self.seek_data(offset, False)
            count = min(CHUNK, end - offset)
            if count <= 0:
                return
            offset += self.write_at(offset, bytes(count))

    @property
    def size(self) -> int:
        return self.stat().size

    # File operations as system calls see them: coherent with shared mappings.

    def read_file(self, offset: int, count: int) -> bytes:
        data = self.read_at(offset, count)
        return data if self.mapping is None else self.mapping.overlay(offset, data)

    def write_file(self, offset: int, data: bytes) -> int:
        count = self.write_at(offset, data)
        if self.mapping is not None:
            self.mapping.written(offset, data[:count])
        return count

    def truncate_file(self, size: int) -> None:
        self.truncate(size)
        if self.mapping is not None:
            self.mapping.truncated(size)

    def punch_file(self, offset: int, length: int) -> None:
        """Makes a range read as zeros (FALLOC_FL_PUNCH_HOLE)."""
        self.punch(offset, min(offset + length, self.size))
        if self.mapping is not None:
            self.mapping.punched(offset, offset + length)

    # Attributes.

    def chmod(self, mode: int) -> None:
        """Sets the permission bits (0o7777) of chmod(2)."""
        raise Errno(EROFS if self.filesystem.read_only else EPERM)

    def chown(self, uid: int, gid: int) -> None:
        """-1 leaves one as it is (chown(2))."""
        raise Errno(EROFS if self.filesystem.read_only else EPERM)

    def set_times(self, atime: int | None, mtime: int | None) -> None:
        """Nanoseconds since 1970; None leaves one as it is (utimensat(2))."""
        raise Errno(EROFS if self.filesystem.read_only else EPERM)

    # Directories. Names are single components, never "", "." or "..".

    def lookup(self, name: str) -> Inode:
        raise Errno(ENOTDIR)

    def entries(self) -> Iterable[tuple[str, int, int]]:
        """(name, inode number, DT_ type) of each entry, without "." and ".."."""
        raise Errno(ENOTDIR)

    def create(self, name: str, mode: int) -> Inode:
        """A new regular file; EEXIST when the name is taken."""
        raise Errno(EROFS)

    def create_unnamed(self, mode: int) -> Inode:
        """A new regular file without a name (O_TMPFILE)."""
        raise Errno(EROFS)

    def mkdir(self, name: str, mode: int) -> Inode:
        raise Errno(EROFS)

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
        """Moves an entry, replacing what ``to`` had at ``new_name`` (rename(2))."""
        raise Errno(EROFS)

    def exchange(self, name: str, to: Inode, new_name: str) -> None:
        """Swaps two entries (renameat2(2) with RENAME_EXCHANGE)."""
        raise Errno(EROFS if self.filesystem.read_only else EINVAL)

    # Links.

    def readlink(self) -> str:
        raise Errno(EINVAL)

    def jump(self) -> Inode | None:
        """Where a magic link of /proc leads, without its text being looked at; None: none."""
        return None
