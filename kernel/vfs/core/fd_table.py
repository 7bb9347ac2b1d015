"""Descriptor table of a process: descriptors are numbers of open file descriptions."""

from __future__ import annotations

from collections.abc import Iterator

from kernel.base.budget import Budget, Cost, Kind
from kernel.base.errno import EBADF, EMFILE, ENFILE
from kernel.base.errors import Errno
from kernel.vfs.core.linux_abi import O_PATH
from kernel.vfs.core.open_file import OpenFile

DEFAULT_LIMIT = 1024
MAX_DESCRIPTORS = 1 << 16
"""Maximum size of a table, whatever RLIMIT_NOFILE is."""


class FdTable:
    """Maps descriptors to open files. Each entry holds one reference to its file.

    POSIX record locks belong to a table, as in Linux: any close of a file in it drops the table's
    locks on that file (fcntl(2)).
    """

    __slots__ = ("_close_on_exec", "_files", "budget", "limit", "users")

    def __init__(self, limit: int = DEFAULT_LIMIT, budget: Budget | None = None) -> None:
        self.budget = budget or Budget()
        """Budget of the table and of the files opened in it."""
        self._files: list[OpenFile | None] = []
        self._close_on_exec: set[int] = set()
        self.limit = limit
        """RLIMIT_NOFILE: all new descriptors are below it."""
        self.users = 1
        """Number of processes that share the table (CLONE_FILES)."""

    def get(self, fd: int) -> OpenFile:
        """Returns the file at ``fd``, which may be an O_PATH one; EBADF when there is none."""
        if 0 <= fd < len(self._files):
            file = self._files[fd]
            if file is not None:
                return file
        raise Errno(EBADF)

    def get_usable(self, fd: int) -> OpenFile:
        """Returns the file at ``fd``; EBADF also when it was opened with O_PATH."""
        file = self.get(fd)
        if file.flags & O_PATH:
            raise Errno(EBADF)
        return file

    def get_readable(self, fd: int) -> OpenFile:
        file = self.get(fd)
        if not file.readable:
            raise Errno(EBADF)
        return file

    def get_writable(self, fd: int) -> OpenFile:
        file = self.get(fd)
        if not file.writable:
            raise Errno(EBADF)
        return file

    def install(self, file: OpenFile, *, cloexec: bool = False, lowest: int = 0) -> int:
        """Installs ``file`` at the lowest free descriptor from ``lowest`` on; EMFILE."""
        file.acquire()
        try:
            fd = self._lowest_free(lowest)
            if fd >= self._end_limit:
                raise Errno(EMFILE)
            self._grow(fd)
            file.charge_to(self.budget, ENFILE)
            self._put(fd, file, cloexec)
        finally:
            file.release()
        return fd

    def install_pair(self, first: OpenFile, second: OpenFile, cloexec: bool) -> tuple[int, int]:
        """Installs both files or none (pipe(2), socketpair(2))."""
        try:
            low = self.install(first, cloexec=cloexec)
        except Errno:
            second.acquire().release()
            raise
        try:
            return low, self.install(second, cloexec=cloexec)
        except Errno:
            self.close(low)
            raise

    def install_at(self, fd: int, file: OpenFile, *, cloexec: bool = False) -> int:
        """Installs ``file`` at ``fd``, after closing the file there (dup3(2))."""
        if not 0 <= fd < self._end_limit:
            raise Errno(EBADF)
        self._grow(fd)
        file.acquire()
        if self._files[fd] is not None:
            self.close(fd)
        self._put(fd, file, cloexec)
        file.release()
        return fd

    def close(self, fd: int) -> None:
        file = self.get(fd)
        self._files[fd] = None
        self._close_on_exec.discard(fd)
        if file.inode.locks is not None:
            file.inode.locks.drop(self)
        file.release()

    def is_close_on_exec(self, fd: int) -> bool:
        self.get(fd)
        return fd in self._close_on_exec

    def set_close_on_exec(self, fd: int, closes: bool) -> None:
        self.get(fd)
        if closes:
            self._close_on_exec.add(fd)
        else:
            self._close_on_exec.discard(fd)

    def copy(self) -> FdTable:
        """Returns the child's table at fork: the same files, each with a further reference."""
        table = FdTable(self.limit, self.budget)
        self.budget.take(Kind.DESCRIPTORS, Cost.DESCRIPTOR * len(self._files))
        table._files = [file and file.acquire() for file in self._files]
        table._close_on_exec = set(self._close_on_exec)
        return table

    def shared(self) -> FdTable:
        """Returns this table, with a further user."""
        self.users += 1
        return self

    def own(self) -> FdTable:
        """Returns the table for one user alone: this one, or a copy (CLOSE_RANGE_UNSHARE)."""
        if self.users == 1:
            return self
        table = self.copy()
        self.users -= 1
        return table

    def leave(self) -> None:
        """Removes one user; the last one closes every descriptor."""
        self.users -= 1
        if not self.users:
            self.close_all()

    def close_on_exec(self) -> None:
        """Closes the descriptors with FD_CLOEXEC, at execve(2)."""
        for fd in sorted(self._close_on_exec):
            self.close(fd)

    def close_all(self) -> None:
        """Closes every descriptor."""
        for fd, _ in list(self.items()):
            self.close(fd)
        self.budget.give_back(Kind.DESCRIPTORS, Cost.DESCRIPTOR * len(self._files))
        self._files.clear()

    def items(self) -> Iterator[tuple[int, OpenFile]]:
        """Yields (descriptor, file) in ascending order."""
        return ((fd, file) for fd, file in enumerate(self._files) if file is not None)

    @property
    def end(self) -> int:
        """Size of the table: every open descriptor is below it."""
        return len(self._files)

    @property
    def _end_limit(self) -> int:
        return min(self.limit, MAX_DESCRIPTORS)

    def _lowest_free(self, lowest: int) -> int:
        try:
            return self._files.index(None, lowest)
        except ValueError:
            return max(lowest, len(self._files))

    def _grow(self, fd: int) -> None:
        """Extends the table to number ``fd``; ENOMEM."""
        missing = fd + 1 - len(self._files)
        if missing > 0:
            self.budget.take(Kind.DESCRIPTORS, Cost.DESCRIPTOR * missing)
            self._files.extend([None] * missing)

    def _put(self, fd: int, file: OpenFile, cloexec: bool) -> None:
        self._files[fd] = file.acquire()
        if cloexec:
            self._close_on_exec.add(fd)
        else:
            self._close_on_exec.discard(fd)
