"""Counters that can be waited for (eventfd(2))."""

from __future__ import annotations

import struct

from kernel.base.errno import EINVAL
from kernel.base.errors import Errno
from kernel.base.wait import WaitQueue
from kernel.vfs.core.filesystem import FileSystem
from kernel.vfs.core.inode import Inode, Stat
from kernel.vfs.core.linux_abi import O_RDWR, POLLIN, POLLOUT
from kernel.vfs.core.open_file import OpenFile, Sources

MAX_COUNT = (1 << 64) - 2


class AnonymousInode(Inode):
    """The node of a file without a name or content, such as an epoll set."""

    def __init__(self, filesystem: FileSystem) -> None:
        self.filesystem = filesystem
        self.ino = filesystem.new_ino()

    @property
    def kind(self) -> int:
        return 0

    def stat(self) -> Stat:
        return Stat(self.filesystem.device, self.ino, 0o600, 1, 0, 0, 0, 0, 0, 0, 0)


class EventFile(OpenFile):
    """A 64-bit counter; a read resets it, or decrements it when it is a semaphore."""

    stream = True

    def __init__(self, inode: Inode, count: int, flags: int, *, semaphore: bool) -> None:
        super().__init__(inode, flags | O_RDWR, "anon_inode:[eventfd]")
        self.count = count
        self.semaphore = semaphore
        self.wait_queue = WaitQueue()

    def read(self, count: int) -> bytes | None:
        if count < 8:
            raise Errno(EINVAL)
        if not self.count:
            return None
        taken = 1 if self.semaphore else self.count
        self.count -= taken
        self.wait_queue.wake()
        return struct.pack("<Q", taken)

    def unread(self, data: bytes) -> None:
        if len(data) == 8:
            self.count += int(struct.unpack("<Q", data)[0])

    def write(self, data: bytes) -> int | None:
        if len(data) < 8:
            raise Errno(EINVAL)
        added = int.from_bytes(data[:8], "little")
        if added > MAX_COUNT:
            raise Errno(EINVAL)
        if self.count + added > MAX_COUNT:
            return None
        self.count += added
        self.wait_queue.wake()
        return 8

    def details(self) -> str:
        return (
            f"eventfd-count: {self.count:16x}\neventfd-id: {self.inode.stat().ino}\n"
            f"eventfd-semaphore: {self.semaphore:d}\n"
        )

    def poll(self) -> int:
        return (POLLIN if self.count else 0) | (POLLOUT if self.count < MAX_COUNT else 0)

    def sources(self, events: int) -> Sources:
        return Sources((self.wait_queue,))
