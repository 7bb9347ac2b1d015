"""Pipes and fifos (pipe(7), fifo(7)): a bounded buffer between open ends."""

from __future__ import annotations

import stat
import struct

from kernel.base.budget import Cost, Kind
from kernel.base.errno import EBUSY, EINVAL, ENFILE, ENOTTY, ENXIO, EPERM, EPIPE
from kernel.base.errors import Errno
from kernel.base.wait import Result, Wait, WaitQueue
from kernel.vfs.core.caller import IoctlCaller
from kernel.vfs.core.filesystem import ChargedFs
from kernel.vfs.core.inode import Inode, Stat
from kernel.vfs.core.linux_abi import (
    O_ACCMODE,
    O_NONBLOCK,
    O_RDONLY,
    O_RDWR,
    O_WRONLY,
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLOUT,
    POLLRDNORM,
    POLLWRNORM,
)
from kernel.vfs.core.open_file import OpenFile, Sources, SpecialInode

PIPE_BUF = 4096
"""Maximum size of an atomic write (pipe(7))."""
DEFAULT_CAPACITY = 1 << 16
MAX_CAPACITY = 1 << 20
FIONREAD = 0x541B


class Pipe(SpecialInode):
    """A buffer, and the number of its open ends. Its pages are charged while an end is open."""

    def __init__(self, filesystem: ChargedFs, now: int = 0) -> None:
        self.filesystem: ChargedFs = filesystem
        self.ino = filesystem.new_ino()
        self.capacity = DEFAULT_CAPACITY
        self.buffer = bytearray()
        self._pages = 0
        self.readers = 0
        self.writers = 0
        self.reader_opens = 0
        self.writer_opens = 0
        """Number of times that an end was opened; open(2) of a fifo waits for a change."""
        self.readable = WaitQueue()
        self.writable = WaitQueue()
        self.mode = stat.S_IFIFO | 0o600
        self.time = now

    @property
    def kind(self) -> int:
        return stat.S_IFIFO

    def stat(self) -> Stat:
        device, time = self.filesystem.device, self.time
        return Stat(device, self.ino, self.mode, 1, 0, 0, 0, 0, time, time, time)

    def ends(self, flags: int = 0) -> tuple[PipeEnd, PipeEnd]:
        """Returns a new reading and a new writing end (pipe2(2))."""
        path = f"pipe:[{self.ino}]"
        reading = PipeEnd(self, self, flags | O_RDONLY, path)
        return reading, PipeEnd(self, self, flags | O_WRONLY, path)

    def open(self, flags: int, path: str) -> OpenFile:
        return self.open_fifo(self, flags, path)

    def open_fifo(self, node: Inode, flags: int, path: str) -> PipeEnd:
        """Opens an end of the fifo ``node``; ENXIO as in fifo(7)."""
        if flags & O_ACCMODE == O_WRONLY and flags & O_NONBLOCK and not self.readers:
            raise Errno(ENXIO)
        return PipeEnd(self, node, flags, path)

    def set_capacity(self, size: int) -> int:
        """Sets the capacity to a power of two pages of at least ``size`` bytes (F_SETPIPE_SZ)."""
        if size >= 1 << 31:
            raise Errno(EINVAL)
        if size > MAX_CAPACITY:
            raise Errno(EPERM)
        capacity = max(4096, 1 << max(0, size - 1).bit_length())
        if capacity < len(self.buffer):
            raise Errno(EBUSY)
        self.capacity = capacity
        self.writable.wake()
        return capacity

    def charge_pages(self, length: int) -> None:
        """Adjusts the charge to ``length`` bytes in the buffer; ENOMEM."""
        pages = (length + PIPE_BUF - 1) // PIPE_BUF
        if pages > self._pages:
            self.filesystem.budget.take(Kind.PIPE, (pages - self._pages) * PIPE_BUF)
        elif pages < self._pages:
            self.filesystem.budget.give_back(Kind.PIPE, (self._pages - pages) * PIPE_BUF)
        self._pages = pages


class PipeEnd(OpenFile):
    """One open end; both ends for a fifo opened with O_RDWR."""

    stream = True
    inode: Inode

    def __init__(self, pipe: Pipe, node: Inode, flags: int, path: str) -> None:
        super().__init__(node, flags, path)
        self.pipe = pipe
        if not pipe.readers and not pipe.writers:
            pipe.filesystem.budget.take(Kind.PIPE, Cost.PIPE, ENFILE)
        if self.readable:
            pipe.readers += 1
            pipe.reader_opens += 1
            pipe.writable.wake()
        if self.writable:
            pipe.writers += 1
            pipe.writer_opens += 1
            pipe.readable.wake()
        self._opens_before = (pipe.reader_opens, pipe.writer_opens)

    def on_last_close(self) -> None:
        pipe = self.pipe
        if self.readable:
            pipe.readers -= 1
        if self.writable:
            pipe.writers -= 1
        if not pipe.readers and not pipe.writers:
            pipe.buffer.clear()
            pipe.charge_pages(0)
            pipe.filesystem.budget.give_back(Kind.PIPE, Cost.PIPE)
        pipe.readable.wake()
        pipe.writable.wake()

    def wait_to_open(self) -> Wait | None:
        pipe, (readers, writers) = self.pipe, self._opens_before
        mode = self.flags & O_ACCMODE
        if self.flags & O_NONBLOCK or mode == O_RDWR or self.inode is pipe:
            return None  # a pipe opened by its name in /proc does not block
        if mode == O_RDONLY and not pipe.writers and pipe.writer_opens == writers:
            return Wait(f"a writer of the fifo {self.short_path}", (pipe.readable,))
        if mode == O_WRONLY and not pipe.readers and pipe.reader_opens == readers:
            return Wait(f"a reader of the fifo {self.short_path}", (pipe.writable,))
        return None

    def read(self, count: int) -> bytes | None:
        pipe = self.pipe
        buffer = pipe.buffer
        if not buffer:
            return None if pipe.writers else b""
        data = bytes(buffer[:count])
        del buffer[:count]
        pipe.charge_pages(len(buffer))
        pipe.writable.wake()
        return data

    def unread(self, data: bytes) -> None:
        self.pipe.charge_pages(len(self.pipe.buffer) + len(data))
        self.pipe.buffer[:0] = data

    def write(self, data: bytes) -> int | None:
        pipe = self.pipe
        if not pipe.readers:
            raise Errno(EPIPE)
        free = pipe.capacity - len(pipe.buffer)
        count = len(data)
        if count > free:
            if count <= PIPE_BUF or free <= 0:
                return None
            data = data[:free]
            count = free
        pipe.charge_pages(len(pipe.buffer) + count)
        pipe.buffer += data
        pipe.readable.wake()
        return count

    def poll(self) -> int:
        pipe, events = self.pipe, 0
        if self.readable:
            if pipe.buffer:
                events |= POLLIN | POLLRDNORM
            if not pipe.writers and pipe.writer_opens:
                events |= POLLHUP
        if self.writable:
            if pipe.capacity - len(pipe.buffer) >= PIPE_BUF:
                events |= POLLOUT | POLLWRNORM
            if not pipe.readers:
                events |= POLLERR
        return events

    def sources(self, events: int) -> Sources:
        if self.readable:
            return Sources((self.pipe.readable, self.pipe.writable) if self.writable
                           else (self.pipe.readable,))  # fmt: skip
        return Sources((self.pipe.writable,))

    def ioctl(self, t: IoctlCaller, request: int, argument: int) -> Result:
        if request != FIONREAD:
            raise Errno(ENOTTY)
        t.mem.write(argument, struct.pack("<i", len(self.pipe.buffer)))
        return 0

    def describe(self) -> str:
        return ("data in " if self.readable else "room in ") + self.short_path
