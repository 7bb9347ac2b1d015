"""Standard streams: the user's own descriptors, or bytes in memory."""

from __future__ import annotations

import fcntl
import os
import stat

from kernel.base.errno import EINVAL, ENOSPC, EPERM, ESPIPE
from kernel.base.errors import Errno, from_host
from kernel.vfs.core.filesystem import FileSystem
from kernel.vfs.core.inode import Stat
from kernel.vfs.core.linux_abi import (
    O_ACCMODE,
    O_APPEND,
    O_RDONLY,
    O_RDWR,
    O_WRONLY,
    POLLIN,
    POLLOUT,
    SEEK_CUR,
    SEEK_END,
    SEEK_SET,
)
from kernel.vfs.core.open_file import OpenFile, Sources, SpecialInode
from kernel.vfs.hostfs.hostfs import guest_stat
from kernel.vfs.tty import host_io
from kernel.vfs.tty.devices import check_access_mode

MAX_CAPTURED = 256 << 20
"""Maximum number of bytes of an output captured in memory; further writes fail (ENOSPC)."""

_HOST_SEEK = {SEEK_SET: os.SEEK_SET, SEEK_CUR: os.SEEK_CUR, SEEK_END: os.SEEK_END}


class HostStream(SpecialInode):
    """A descriptor of the user's that the guest inherits: a file, pipe, socket or device.

    Its offset is shared with the user, so a program that runs after the guest continues there.
    """

    def __init__(self, filesystem: FileSystem, fd: int) -> None:
        self.filesystem = filesystem
        self.fd = fd
        self.stream_fd = host_io.open_nonblocking(fd)
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
        access = {os.O_RDONLY: O_RDONLY, os.O_WRONLY: O_WRONLY}.get(flags & os.O_ACCMODE, O_RDWR)
        self.flags = access | (O_APPEND if flags & os.O_APPEND else 0)
        """Access mode and O_APPEND, as the guest's flags."""
        self.seekable = stat.S_ISREG(self.stat().mode) or stat.S_ISBLK(self.stat().mode)

    def stat(self) -> Stat:
        try:
            return guest_stat(os.fstat(self.fd))
        except OSError as error:
            raise from_host(error) from None

    def open(self, flags: int, path: str) -> OpenFile:
        check_access_mode(flags, self.flags)
        return HostStreamFile(self, flags & O_ACCMODE | self.flags & O_APPEND, path)

    def read_at(self, offset: int, count: int) -> bytes:
        try:
            return os.pread(self.fd, count, offset)
        except (OSError, OverflowError) as error:
            raise _errno(error) from None

    def write_at(self, offset: int, data: bytes) -> int:
        try:
            return os.pwrite(self.fd, data, offset)
        except (OSError, OverflowError) as error:
            raise _errno(error) from None

    def truncate(self, size: int) -> None:
        try:
            os.ftruncate(self.fd, size)
        except (OSError, OverflowError) as error:
            raise _errno(error) from None

    def chmod(self, mode: int) -> None:
        raise Errno(EPERM)  # the guest gets the stream, not the file's attributes


def _errno(error: OSError | OverflowError) -> Errno:
    return from_host(error) if isinstance(error, OSError) else Errno(EINVAL)


class HostStreamFile(OpenFile):
    """An open file of a descriptor of the user's."""

    inode: HostStream

    def __init__(self, node: HostStream, flags: int, path: str) -> None:
        super().__init__(node, flags, path)
        self.node = node
        self.stream = not node.seekable

    def read(self, count: int) -> bytes | None:
        if self.stream:
            return host_io.read(self.node.stream_fd, count)
        try:
            return os.read(self.node.fd, count)
        except OSError as error:
            raise from_host(error) from None

    def unread(self, data: bytes) -> None:
        if not self.stream:
            self.seek(-len(data), SEEK_CUR)

    def write(self, data: bytes) -> int | None:
        if self.stream:
            return host_io.write(self.node.stream_fd, data)
        try:
            return os.write(self.node.fd, data)
        except OSError as error:
            raise from_host(error) from None

    def read_at(self, offset: int, count: int) -> bytes:
        self._need_seekable()
        return self.node.read_file(offset, count)

    def write_at(self, offset: int, data: bytes) -> int:
        self._need_seekable()
        return self.node.write_file(offset, data)

    def truncate(self, size: int) -> None:
        if self.stream:
            raise Errno(EINVAL)
        self.node.truncate_file(size)

    def seek(self, offset: int, whence: int) -> int:
        self._need_seekable()
        if whence not in _HOST_SEEK:
            raise Errno(EINVAL)
        try:
            return os.lseek(self.node.fd, offset, _HOST_SEEK[whence])
        except (OSError, OverflowError) as error:
            raise _errno(error) from None

    def _need_seekable(self) -> None:
        if self.stream:
            raise Errno(ESPIPE)

    def poll(self) -> int:
        if not self.stream:
            return super().poll()
        events = (POLLIN if self.readable else 0) | (POLLOUT if self.writable else 0)
        return host_io.ready(self.node.fd, events)

    def sources(self, events: int) -> Sources:
        return host_io.sources(self.node.fd, events) if self.stream else Sources()

    def describe(self) -> str:
        return f"the user's {self.path}"


class MemoryStream(SpecialInode):
    """A stream of bytes in memory, which the guest sees as a pipe."""

    def __init__(self, filesystem: FileSystem, access: int) -> None:
        self.filesystem = filesystem
        self.ino = filesystem.new_ino()
        self.access = access
        self.data = bytearray()

    @property
    def kind(self) -> int:
        return stat.S_IFIFO

    def stat(self) -> Stat:
        mode = stat.S_IFIFO | 0o600
        owner = os.geteuid(), os.getegid()
        return Stat(self.filesystem.device, self.ino, mode, 1, *owner, 0, 0, 0, 0, 0)

    def open(self, flags: int, path: str) -> OpenFile:
        check_access_mode(flags, self.access)
        make = ByteSource if self.access == O_RDONLY else ByteSink
        return make(self, flags & O_ACCMODE, path)


class ByteSource(OpenFile):
    """Standard input from bytes in memory."""

    stream = True

    def __init__(self, node: MemoryStream, flags: int, path: str) -> None:
        super().__init__(node, flags, path)
        self._data = node.data

    def read(self, count: int) -> bytes | None:
        data = bytes(self._data[:count])
        del self._data[:count]
        return data

    def unread(self, data: bytes) -> None:
        self._data[:0] = data

    def poll(self) -> int:
        return POLLIN


class ByteSink(OpenFile):
    """Standard output or error, captured in memory."""

    stream = True

    def __init__(self, node: MemoryStream, flags: int, path: str) -> None:
        super().__init__(node, flags, path)
        self._data = node.data

    def write(self, data: bytes) -> int | None:
        room = MAX_CAPTURED - len(self._data)
        if room <= 0:
            raise Errno(ENOSPC)
        self._data += data[:room]
        return min(room, len(data))

    def poll(self) -> int:
        return POLLOUT
