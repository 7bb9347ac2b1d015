"""Open file descriptions: what descriptors refer to, shared by dup(2) and fork(2) (open(2))."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from kernel.base.budget import Budget, Cost, Kind, cost_of_text
from kernel.base.errno import EBADF, EINVAL, ENOTTY, ENXIO, ESPIPE
from kernel.base.errors import Errno
from kernel.base.wait import HostReady, Result, Wait, WaitQueue
from kernel.vfs.core.caller import IoctlCaller
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.linux_abi import (
    O_ACCMODE,
    O_APPEND,
    O_NONBLOCK,
    O_PATH,
    O_RDONLY,
    O_WRONLY,
    PATH_MAX,
    POLLIN,
    POLLOUT,
    POLLRDNORM,
    POLLWRNORM,
    R_OK,
    SEEK_CUR,
    SEEK_DATA,
    SEEK_END,
    SEEK_HOLE,
    SEEK_SET,
    W_OK,
)


class Sources(NamedTuple):
    """Where a change of what poll(2) says of a file announces itself."""

    queues: tuple[WaitQueue, ...] = ()
    host: tuple[HostReady, ...] = ()
    deadline: int | None = None
    """Nanoseconds of the kernel's monotonic clock."""


ALWAYS = Sources()
_SHOWN = 256


class Watcher(Protocol):
    """An object that refers to an open file until it is closed."""

    def file_closed(self) -> None: ...


class OpenFile:
    """A description of an open file. A kind of file overrides what it can do.

    ``read`` and ``write`` answer None when they would have to wait; the system call then waits on
    :meth:`sources`. Every descriptor holds one reference (``refs``); the last one's going calls
    :meth:`released`.
    """

    stream = False
    """A stream gives at each read what is there; a file gives all that was asked for."""

    def __init__(self, inode: Inode, flags: int, path: str = "") -> None:
        self.inode = inode
        self.flags = flags
        self.path = path[-PATH_MAX:]
        """Its name in the guest when it was opened, or a text such as ``pipe:[12]``."""
        self.refs = 0
        self.owner = 0
        """Process of F_SETOWN, or process group as a negative number (fcntl(2))."""
        self.owner_signal = 0
        """F_SETSIG's."""
        self.watchers: dict[Watcher, None] = {}
        """Watchers that are notified when the last descriptor is closed."""
        self._charged_to: Budget | None = None
        mode = flags & O_ACCMODE
        usable = not flags & O_PATH
        self.readable = usable and mode != O_WRONLY
        self.writable = usable and mode != O_RDONLY

    @property
    def nonblocking(self) -> bool:
        return bool(self.flags & O_NONBLOCK)

    def acquire(self) -> OpenFile:
        self.refs += 1
        return self

    def release(self) -> None:
        self.refs -= 1
        if self.refs == 0:
            if self._charged_to is not None:
                self._charged_to.give_back(Kind.FILE, Cost.FILE + cost_of_text(self.path))
                self._charged_to = None
            for watcher in list(self.watchers):
                watcher.file_closed()
            if self.inode.locks is not None:
                self.inode.locks.drop(self)
            self.released()

    def charge_to(self, budget: Budget, failure: int) -> None:
        """Charges the description once; released with its last reference."""
        if self._charged_to is None:
            budget.take(Kind.FILE, Cost.FILE + cost_of_text(self.path), failure)
            self._charged_to = budget

    def released(self) -> None:
        """The last reference has gone."""

    def opening(self) -> Wait | None:
        """What open(2) still has to wait for before it returns this file (fifo(7))."""
        return None

    def read(self, count: int) -> bytes | None:
        raise Errno(EINVAL)

    def unread(self, data: bytes) -> None:
        """Takes back the end of what the last read gave: the guest's buffer was bad."""

    def write(self, data: bytes) -> int | None:
        raise Errno(EINVAL)

    def read_at(self, offset: int, count: int) -> bytes:
        raise Errno(ESPIPE)

    def write_at(self, offset: int, data: bytes) -> int:
        raise Errno(ESPIPE)

    def seek(self, offset: int, whence: int) -> int:
        raise Errno(ESPIPE)

    def truncate(self, size: int) -> None:
        raise Errno(EINVAL)

    def poll(self) -> int:
        """The poll(2) events that are true now."""
        return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM

    def sources(self, events: int) -> Sources:
        """What to wait on for one of ``events`` (POLLIN, POLLOUT) to come true."""
        return ALWAYS

    def ioctl(self, t: IoctlCaller, request: int, argument: int) -> Result:
        raise Errno(ENOTTY)

    def holds_back(self, t: IoctlCaller) -> bool:
        """Whether ``t`` may not read it now, and was sent the signal that stops it until it may (a
        terminal's job control).
        """
        return False

    def describe(self) -> str:
        """Completes "waits for …"."""
        return self.shown or "a file"

    @property
    def shown(self) -> str:
        """The last part of its path, for messages."""
        return self.path[-_SHOWN:]


class PathFile(OpenFile):
    """What O_PATH gives: a place, without the right to read or write it."""


class SpecialInode(Inode):
    """A node with a kind of open file of its own: a device, a fifo, a text of /proc."""

    def open(self, flags: int, path: str) -> OpenFile:
        """Returns a new open file description; ``flags`` are those of open(2)."""
        raise NotImplementedError


class RegularFile(OpenFile):
    """A file with an offset."""

    def __init__(self, inode: Inode, flags: int, path: str = "") -> None:
        super().__init__(inode, flags, path)
        inode.acquire((R_OK if self.readable else 0) | (W_OK if self.writable else 0))
        self.offset = 0

    def released(self) -> None:
        self.inode.release()

    def read(self, count: int) -> bytes | None:
        data = self.inode.read_file(self.offset, count)
        self.offset += len(data)
        return data

    def unread(self, data: bytes) -> None:
        self.offset -= len(data)

    def write(self, data: bytes) -> int | None:
        if self.flags & O_APPEND:
            self.offset = self.inode.size
        count = self.inode.write_file(self.offset, data)
        self.offset += count
        return count

    def read_at(self, offset: int, count: int) -> bytes:
        return self.inode.read_file(offset, count)

    def write_at(self, offset: int, data: bytes) -> int:
        if self.flags & O_APPEND:  # Linux appends here too (pwrite(2), BUGS)
            offset = self.inode.size
        return self.inode.write_file(offset, data)

    def truncate(self, size: int) -> None:
        self.inode.truncate_file(size)

    def seek(self, offset: int, whence: int) -> int:
        self.offset = sought(self.inode, self.offset, offset, whence)
        return self.offset


def sought(inode: Inode, now: int, offset: int, whence: int) -> int:
    """The offset that lseek(2) moves to from ``now``."""
    if whence in (SEEK_DATA, SEEK_HOLE):
        if not 0 <= offset < inode.size:
            raise Errno(ENXIO)
        return inode.seek_data(offset, whence == SEEK_HOLE)
    if whence == SEEK_CUR:
        offset += now
    elif whence == SEEK_END:
        offset += inode.size
    elif whence != SEEK_SET:
        raise Errno(EINVAL)
    if not 0 <= offset < 1 << 63:
        raise Errno(EINVAL)
    return offset


def need_usable(file: OpenFile) -> OpenFile:
    """EBADF for a file opened with O_PATH."""
    if file.flags & O_PATH:
        raise Errno(EBADF)
    return file
