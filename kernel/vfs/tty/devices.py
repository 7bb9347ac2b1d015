"""The few devices a guest has: null, zero, full, random, urandom, tty (null(4), random(4))."""

from __future__ import annotations

import stat
from collections.abc import Callable

from kernel.base.errno import EACCES, ENOSPC
from kernel.base.errors import Errno
from kernel.vfs.core.filesystem import FileSystem
from kernel.vfs.core.inode import Stat
from kernel.vfs.core.linux_abi import O_ACCMODE, O_RDWR, makedev
from kernel.vfs.core.open_file import OpenFile, SpecialInode


class Device(SpecialInode):
    """A character device that anyone may read and write."""

    def __init__(
        self, filesystem: FileSystem, number: tuple[int, int], source: Callable[[int], bytes],
        sink: Callable[[bytes], int] = len,
    ) -> None:  # fmt: skip
        self.filesystem = filesystem
        self.ino = filesystem.new_ino()
        self.rdev = makedev(*number)
        self.source = source
        """Called with a count of bytes, gives up to as many."""
        self.sink = sink
        """Called with bytes, says how many it took."""

    @property
    def kind(self) -> int:
        return stat.S_IFCHR

    def stat(self) -> Stat:
        device, mode = self.filesystem.device, stat.S_IFCHR | 0o666
        return Stat(device, self.ino, mode, 1, 0, 0, self.rdev, 0, 0, 0, 0)

    def read_at(self, offset: int, count: int) -> bytes:
        return self.source(count)

    def open(self, flags: int, path: str) -> OpenFile:
        return DeviceFile(self, flags, path)


class DeviceFile(OpenFile):
    """An open device; it has no offset, and seeking it does nothing."""

    def __init__(self, device: Device, flags: int, path: str) -> None:
        super().__init__(device, flags, path)
        self._source, self._sink = device.source, device.sink

    def read(self, count: int) -> bytes | None:
        return self._source(count)

    def write(self, data: bytes) -> int | None:
        return self._sink(data)

    def read_at(self, offset: int, count: int) -> bytes:
        return self._source(count)

    def write_at(self, offset: int, data: bytes) -> int:
        return self._sink(data)

    def seek(self, offset: int, whence: int) -> int:
        return 0


def no_space(data: bytes) -> int:
    """Writing to /dev/full."""
    raise Errno(ENOSPC)


def may_open(flags: int, have: int) -> None:
    """EACCES unless ``have``, the access a description has, covers what ``flags`` ask for."""
    asked, had = flags & O_ACCMODE, have & O_ACCMODE
    if had != O_RDWR and asked != had:
        raise Errno(EACCES)
