"""A regular file of a granted folder."""

from __future__ import annotations

import os

from kernel.base.errno import EACCES, EFBIG, EINVAL
from kernel.base.errors import Errno, from_host
from kernel.vfs.core.linux_abi import R_OK, W_OK
from kernel.vfs.hostfs.hostfs import HostFs, HostNode

_SEEK_DATA = getattr(os, "SEEK_DATA", None)
_SEEK_HOLE = getattr(os, "SEEK_HOLE", None)


class HostFile(HostNode):
    """A file of the host: one descriptor for reads, one for writes, each opened when needed."""

    def __init__(
        self, filesystem: HostFs, directory: HostNode | None, name: str, status: os.stat_result
    ) -> None:
        super().__init__(filesystem, directory, name, status)
        self._reader: int | None = None
        self._writer: int | None = None
        self._users = 0

    def __del__(self) -> None:
        self.close_fds()

    def is_pinned(self) -> bool:
        return self._users > 0 or (self.mapping is not None and self.mapping.users > 0)

    def close_fds(self) -> None:
        for fd in {self._reader, self._writer} - {None}:
            assert fd is not None
            os.close(fd)
        self._reader = self._writer = None

    def adopt(self, fd: int) -> None:
        """Takes ownership of the read-write descriptor with which the file was created."""
        self.close_fds()
        self._reader = self._writer = fd
        self.filesystem.fds.mark_used(self)

    def acquire(self, want: int) -> None:
        if want & W_OK:
            self._write_fd()
        if want & R_OK:
            self._read_fd()
        self._users += 1

    def release(self) -> None:
        self._users -= 1
        self.after_unlink()

    def after_unlink(self) -> None:
        """Closes unused descriptors of a file without a name, so that the host frees its space."""
        if not self.is_pinned() and self.is_unlinked:
            self.drop_unused_pages()
            self.filesystem.fds.remove(self)
            self.close_fds()

    @property
    def is_unlinked(self) -> bool:
        return self._any_fd() is not None and self.host_stat().st_nlink == 0

    def _any_fd(self) -> int | None:
        return self._reader if self._reader is not None else self._writer

    def _read_fd(self) -> int:
        if self._reader is None:
            self._reader = self.open_host(os.O_RDONLY)
        self.filesystem.fds.mark_used(self)
        return self._reader

    def _write_fd(self) -> int:
        self.filesystem.check_writable()
        if self._writer is None:
            self._writer = self.open_host(os.O_WRONLY)
        self.filesystem.fds.mark_used(self)
        return self._writer

    def host_stat(self) -> os.stat_result:
        fd = self._any_fd()
        if fd is None:
            return super().host_stat()
        try:
            return os.fstat(fd)
        except OSError as error:
            raise from_host(error) from None

    @property
    def size(self) -> int:
        return self.host_stat().st_size

    def read_at(self, offset: int, count: int) -> bytes:
        try:
            return self.filesystem.disk.read(self._read_fd(), offset, count)
        except OSError as error:
            raise from_host(error) from None
        except OverflowError:
            raise Errno(EINVAL) from None

    def write_at(self, offset: int, data: bytes) -> int:
        try:
            return os.pwrite(self._write_fd(), data, offset)
        except OSError as error:
            raise from_host(error) from None
        except OverflowError:
            raise Errno(EFBIG) from None

    def truncate(self, size: int) -> None:
        try:
            os.ftruncate(self._write_fd(), size)
        except OSError as error:
            raise from_host(error) from None
        except OverflowError:
            raise Errno(EFBIG) from None

    def sync(self) -> None:
        fd = self._writer if self._writer is not None else self._reader
        if fd is not None:
            try:
                os.fsync(fd)
            except OSError as error:
                raise from_host(error) from None

    def seek_data(self, offset: int, hole: bool) -> int:
        whence = _SEEK_HOLE if hole else _SEEK_DATA
        if whence is None:
            return super().seek_data(offset, hole)
        try:
            return os.lseek(self._read_fd(), offset, whence)
        except OSError as error:
            raise from_host(error) from None

    def _host_chmod(self, mode: int) -> None:
        fd = self._any_fd()
        if fd is not None:
            os.fchmod(fd, mode)
            return
        try:
            super()._host_chmod(mode)
        except Errno as error:
            if error.errno != EACCES or not hasattr(os, "O_PATH"):
                raise
            self._chmod_unreadable(mode)

    def _chmod_unreadable(self, mode: int) -> None:
        """Sets the mode through an O_PATH descriptor (Linux): the file itself cannot be opened."""
        fd = self.open_host(os.O_PATH)
        try:
            os.chmod(f"/proc/self/fd/{fd}", mode)
        finally:
            os.close(fd)

    def set_times(self, atime: int | None, mtime: int | None) -> None:
        fd = self._any_fd()
        if fd is None:
            super().set_times(atime, mtime)
            return
        self.filesystem.check_writable()
        now = self.host_stat()
        try:
            os.utime(fd, ns=(now.st_atime_ns if atime is None else atime,
                             now.st_mtime_ns if mtime is None else mtime))  # fmt: skip
        except OSError as error:
            raise from_host(error) from None

    def chown(self, uid: int, gid: int) -> None:
        fd = self._any_fd()
        if fd is None:
            super().chown(uid, gid)
            return
        self.filesystem.check_writable()
        try:
            os.fchown(fd, uid, gid)
        except OSError as error:
            raise from_host(error) from None
