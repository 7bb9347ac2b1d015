"""Character devices: null, zero, full, random, urandom (null(4), full(4), random(4))."""

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
    """A character device of mode 0666."""

    def __init__(
        self, filesystem: FileSystem, number: tuple[int, int], source: Callable[[int], bytes],
        sink: Callable[[bytes], int] = len,
    ) -> None:  # fmt: skip
        self.filesystem = filesystem
        self.ino = filesystem.new_ino()
        self.rdev = makedev(*number)
        self.source = source
        """Function that returns up to the given number of bytes."""
        self.sink = sink
        """Function that takes bytes and returns the number it accepted."""

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
    """An open device; it has no offset, and a seek has no effect."""

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
    """Sink of /dev/full; raises ENOSPC."""
    raise Errno(ENOSPC)


def check_access_mode(flags: int, granted: int) -> None:
    """EACCES unless the access mode ``granted`` includes that of ``flags``."""
    requested, granted = flags & O_ACCMODE, granted & O_ACCMODE
    if granted != O_RDWR and requested != granted:
        raise Errno(EACCES)
