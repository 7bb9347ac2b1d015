"""Watches of files and directories, and the events read from a descriptor (inotify(7))."""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass

from kernel.base.budget import Budget, Cost, Kind
from kernel.base.errno import EEXIST, EINVAL, EMFILE, ENOSPC, ENOTTY
from kernel.base.errors import Errno
from kernel.base.wait import Result, WaitQueue
from kernel.vfs.core.caller import IoctlCaller
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.linux_abi import POLLIN, POLLRDNORM, kernel_device
from kernel.vfs.core.notify import DELETE_SELF, IS_DIRECTORY, MOVE_SELF
from kernel.vfs.core.open_file import OpenFile, Sources
from kernel.vfs.ipc.pipe import FIONREAD

ALL_EVENTS = 0xFFF
OVERFLOW, IGNORED = 0x4000, 0x8000
EXCL_UNLINK, MASK_CREATE, MASK_ADD, ONE_SHOT = 0x0400_0000, 0x1000_0000, 0x2000_0000, 0x8000_0000
_STORED_BITS = ALL_EVENTS | EXCL_UNLINK | ONE_SHOT
MAX_QUEUED = 16384
MAX_INSTANCES = 128
_RECORD = struct.Struct("<iIII")
_LAST_NUMBER = (1 << 31) - 1


class Inotify:
    """State that all instances of a machine share."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.instances = 0
        self._cookie = 0

    @property
    def max_watches(self) -> int:
        return self.budget.limit // Cost.WATCH

    def next_cookie(self) -> int:
        """A number that connects the two events of a move."""
        self._cookie = (self._cookie + 1) & 0xFFFFFFFF
        return self._cookie


@dataclass(frozen=True, slots=True)
class _Event:
    number: int
    mask: int
    cookie: int
    name: bytes

    def equals(self, other: _Event) -> bool:
        """True for events that are reported once, whatever their cookies are."""
        return (self.number, self.mask, self.name) == (other.number, other.mask, other.name)

    @property
    def padded(self) -> int:
        """Size of the name, with its zeros."""
        return (len(self.name) + 16) & ~15 if self.name else 0

    @property
    def size(self) -> int:
        return _RECORD.size + self.padded

    @property
    def cost(self) -> int:
        """Bytes charged; the event of an overflow is charged with its instance."""
        return 0 if self.mask == OVERFLOW else Cost.EVENT + len(self.name)

    def pack(self) -> bytes:
        head = _RECORD.pack(self.number, self.mask, self.cookie, self.padded)
        return head + self.name.ljust(self.padded, b"\0")


class Watch:
    """One file or directory that an instance watches."""

    def __init__(self, owner: InotifyFile, number: int, node: Inode, mask: int) -> None:
        self.owner = owner
        self.number = number
        self.node = node
        self.mask = mask

    def happened(self, mask: int, name: str, cookie: int, removed: bool) -> None:
        if not mask & self.mask & ALL_EVENTS or (removed and self.mask & EXCL_UNLINK):
            return
        if mask & (DELETE_SELF | MOVE_SELF):
            mask &= ~IS_DIRECTORY
        raw = name.encode("utf-8", "surrogateescape")
        self.owner.queue(_Event(self.number, mask, cookie, raw))
        if self.mask & ONE_SHOT:
            self.ended()

    def ended(self) -> None:
        self.owner.remove(self.number)

    def text(self) -> str:
        """Its line of /proc/PID/fdinfo."""
        status = self.node.stat()
        return (
            f"inotify wd:{self.number:x} ino:{status.ino:x} "
            f"sdev:{kernel_device(status.dev):x} mask:{self.mask:x} ignored_mask:0 \n"
        )


class InotifyFile(OpenFile):
    """An instance: its watches by number and by node, and the events that were not read yet."""

    stream = True
    reads_records = True

    def __init__(self, inode: Inode, flags: int, shared: Inotify) -> None:
        if shared.instances >= MAX_INSTANCES:
            raise Errno(EMFILE)
        shared.budget.take(Kind.EVENT, Cost.EVENT)
        super().__init__(inode, flags, "anon_inode:inotify")
        self._shared = shared
        self._budget = shared.budget
        self._watches: dict[int, Watch] = {}
        self._by_node: dict[Inode, Watch] = {}
        self._events: deque[_Event] = deque()
        self._has_overflow = False
        self._taken: list[_Event] = []
        """The events of the last read."""
        self._last_number = 0
        self._readable = WaitQueue()
        shared.instances += 1

    def on_last_close(self) -> None:
        for watch in list(self._watches.values()):
            self._forget(watch)
        for event in self._events:
            self._budget.give_back(Kind.EVENT, event.cost)
        self._events.clear()
        self._budget.give_back(Kind.EVENT, Cost.EVENT)
        self._shared.instances -= 1

    def watch(self, node: Inode, mask: int) -> int:
        """Adds a watch, or changes that of ``node``; returns its number."""
        found = self._by_node.get(node)
        if found is not None:
            if mask & MASK_CREATE:
                raise Errno(EEXIST)
            found.mask = mask & _STORED_BITS | (found.mask if mask & MASK_ADD else 0)
            return found.number
        self._budget.take(Kind.WATCH, Cost.WATCH, ENOSPC)
        self._last_number = self._next_number()
        watch = Watch(self, self._last_number, node, mask & _STORED_BITS)
        self._watches[watch.number] = self._by_node[node] = watch
        if node.watches is None:
            node.watches = {}
        node.watches[watch] = None
        return watch.number

    def _next_number(self) -> int:
        number = self._last_number
        while True:
            number = number + 1 if number < _LAST_NUMBER else 1
            if number not in self._watches:
                return number

    def remove(self, number: int) -> None:
        """Ends a watch, which is an event too; EINVAL without one of the number."""
        watch = self._watches.get(number)
        if watch is None:
            raise Errno(EINVAL)
        self._forget(watch)
        self.queue(_Event(number, IGNORED, 0, b""))

    def _forget(self, watch: Watch) -> None:
        del self._watches[watch.number], self._by_node[watch.node]
        if watch.node.watches is not None:
            watch.node.watches.pop(watch, None)
        self._budget.give_back(Kind.WATCH, Cost.WATCH)

    def queue(self, event: _Event) -> None:
        """Appends an event, unless it equals the last one; one that does not fit is an overflow."""
        if len(self._events) >= MAX_QUEUED:
            self._overflow()
            return
        if self._events and event.equals(self._events[-1]):
            return
        try:
            self._budget.take(Kind.EVENT, event.cost)
        except Errno:
            self._overflow()
            return
        self._events.append(event)
        self._readable.wake()

    def _overflow(self) -> None:
        """Appends the event that says that others are lost, unless it is there already."""
        if not self._has_overflow:
            self._has_overflow = True
            self._events.append(_Event(-1, OVERFLOW, 0, b""))
            self._readable.wake()

    def read(self, count: int) -> bytes | None:
        if not self._events:
            return None
        if self._events[0].size > count:
            raise Errno(EINVAL)
        records = bytearray()
        self._taken.clear()
        while self._events and len(records) + self._events[0].size <= count:
            event = self._events.popleft()
            self._taken.append(event)
            self._budget.give_back(Kind.EVENT, event.cost)
            self._has_overflow = self._has_overflow and event.mask != OVERFLOW
            records += event.pack()
        return bytes(records)

    def unread(self, data: bytes) -> None:
        """Puts back the events after the one that could not be copied, which is lost."""
        room = len(data)
        for event in reversed(self._taken[1:]):
            room -= event.size
            if room <= 0:
                break
            self._budget.take(Kind.EVENT, event.cost)
            self._events.appendleft(event)
            self._has_overflow = self._has_overflow or event.mask == OVERFLOW

    def seek(self, offset: int, whence: int) -> int:
        return 0

    def poll(self) -> int:
        return POLLIN | POLLRDNORM if self._events else 0

    def sources(self, events: int) -> Sources:
        return Sources((self._readable,))

    def ioctl(self, t: IoctlCaller, request: int, argument: int) -> Result:
        if request != FIONREAD:
            raise Errno(ENOTTY)
        t.mem.write(argument, struct.pack("<i", sum(event.size for event in self._events)))
        return 0

    def details(self) -> str:
        return "".join(watch.text() for watch in reversed(self._watches.values()))

    def describe(self) -> str:
        return "events of files"
