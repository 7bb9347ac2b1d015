"""Open file descriptions, to which descriptors refer; shared by dup(2) and fork(2) (open(2))."""

from __future__ import annotations

from collections.abc import Callable
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
    """Sources of events after which poll(2) of a file must be evaluated again."""

    queues: tuple[WaitQueue, ...] = ()
    host: tuple[HostReady, ...] = ()
    deadline: int | None = None
    """Nanoseconds of the kernel's monotonic clock."""


ALWAYS = Sources()
_LONGEST_SHOWN = 256


class Watcher(Protocol):
    """An object that is notified when an open file is closed."""

    def file_closed(self) -> None: ...


class Entry:
    """The directory and the name under which a file was found; open files follow its moves."""

    __slots__ = ("directory", "name", "removed")

    def __init__(self, directory: Inode, name: str) -> None:
        self.directory = directory
        self.name = name
        self.removed = False


class OpenFile:
    """An open file description. Each kind of file overrides the operations that it supports.

    ``read`` and ``write`` return None when they would block; the system call then waits for
    :meth:`sources`. Every descriptor holds one reference (``refs``); dropping the last one calls
    :meth:`on_last_close`.
    """

    stream = False
    """True when a read returns the bytes available; False when it returns all bytes requested."""

    reads_records = False
    """True when a read of 0 bytes fails as any other that is too short for a record."""

    def __init__(self, inode: Inode, flags: int, path: str = "") -> None:
        self.inode = inode
        self.flags = flags
        self.path = path[-PATH_MAX:]
        """Guest path at the time of opening, or a text such as ``pipe:[12]``."""
        self.refs = 0
        self.owner = 0
        """PID of F_SETOWN, or a process group as a negative number (fcntl(2))."""
        self.owner_signal = 0
        """Signal of F_SETSIG."""
        self.watchers: dict[Watcher, None] = {}
        """Watchers to notify when the last descriptor is closed."""
        self.found_at: Entry | None = None
        """The entry at which open(2) found it; None for a file without a name."""
        self.closing: Callable[[OpenFile], None] | None = None
        """Called when the last descriptor is closed, before the file's own resources go."""
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
            if self.closing is not None:
                self.closing(self)
            self.on_last_close()

    def charge_to(self, budget: Budget, failure: int) -> None:
        """Charges the description to ``budget``, once, until its last reference is dropped."""
        if self._charged_to is None:
            budget.take(Kind.FILE, Cost.FILE + cost_of_text(self.path), failure)
            self._charged_to = budget

    def on_last_close(self) -> None:
        """Releases resources; called when the last reference is dropped."""

    def wait_to_open(self) -> Wait | None:
        """Returns the wait of open(2) for the other end of a fifo (fifo(7)); None without one."""
        return None

    def read(self, count: int) -> bytes | None:
        raise Errno(EINVAL)

    def unread(self, data: bytes) -> None:
        """Undoes the last read for its final bytes, which could not be copied to the guest."""

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
        """Returns the current events (poll(2))."""
        return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM

    def sources(self, events: int) -> Sources:
        """Returns what to wait for until one of ``events`` (POLLIN, POLLOUT) may be true."""
        return ALWAYS

    def ioctl(self, t: IoctlCaller, request: int, argument: int) -> Result:
        raise Errno(ENOTTY)

    def stops_background_read(self, t: IoctlCaller) -> bool:
        """Sends SIGTTIN to the caller's process group when it is in the background of this
        terminal; True when that stopped it.
        """
        return False

    def stops_background_write(self, t: IoctlCaller) -> bool:
        """As :meth:`stops_background_read`, for a write to a terminal that demands it (TOSTOP)."""
        return False

    def read_deadline(self, start: int) -> int | None:
        """Time at which a read that waits since ``start`` ends without more; None for no limit."""
        return None

    def read_rest(self, count: int) -> bytes:
        """Reads what a waiting read has gathered when a deadline or a signal ends it."""
        return b""

    def details(self) -> str:
        """Returns the lines of /proc/PID/fdinfo that only this kind of file has."""
        return ""

    def describe(self) -> str:
        """Returns text that completes "waits for …"."""
        return self.short_path or "a file"

    @property
    def short_path(self) -> str:
        """End of its path, for messages."""
        return self.path[-_LONGEST_SHOWN:]


class PathFile(OpenFile):
    """A file opened with O_PATH: a reference to a node, without access to its content."""


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

    def on_last_close(self) -> None:
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
        self.offset = seek_offset(self.inode, self.offset, offset, whence)
        return self.offset


def seek_offset(inode: Inode, now: int, offset: int, whence: int) -> int:
    """Returns the offset that lseek(2) sets, from the offset ``now``."""
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


def check_usable(file: OpenFile) -> OpenFile:
    """EBADF for a file opened with O_PATH."""
    if file.flags & O_PATH:
        raise Errno(EBADF)
    return file
