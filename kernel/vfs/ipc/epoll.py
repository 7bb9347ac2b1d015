"""Sets of files that are polled together (epoll(7))."""

from __future__ import annotations

from collections.abc import Iterator

from kernel.base.budget import Budget, Cost, Kind
from kernel.base.errno import EEXIST, EINVAL, ELOOP, ENOENT, ENOSPC
from kernel.base.errors import Errno
from kernel.base.wait import HostReady, WaitQueue
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.linux_abi import O_RDWR, POLLERR, POLLHUP, POLLIN, kernel_device
from kernel.vfs.core.open_file import OpenFile, Sources

EPOLLEXCLUSIVE, EPOLLWAKEUP, EPOLLONESHOT, EPOLLET = 1 << 28, 1 << 29, 1 << 30, 1 << 31
ALWAYS_REPORTED = POLLERR | POLLHUP
_BEHAVIOUR = EPOLLEXCLUSIVE | EPOLLWAKEUP | EPOLLONESHOT | EPOLLET


class Interest:
    """A file of a set: the events of interest, and the guest's 64 bits returned with them."""

    def __init__(self, owner: EpollFile, fd: int, file: OpenFile, events: int, data: int) -> None:
        self._owner = owner
        self.fd = fd
        self.file = file
        self.events = events
        self.data = data
        self.armed = True
        """Edge-triggered: an event occurred since the last report."""
        self.disabled = False
        """One-shot: it was reported, so it is disabled until EPOLL_CTL_MOD."""
        self._queues: tuple[WaitQueue, ...] = ()
        file.watchers[self] = None
        if events & EPOLLET:
            self._queues = file.sources(events).queues
            for queue in self._queues:
                queue.add(self)

    def wake(self) -> None:
        self.armed = True

    def file_closed(self) -> None:
        self._owner.remove(self.fd, self.file)

    def detach(self) -> None:
        self.file.watchers.pop(self, None)
        for queue in self._queues:
            queue.discard(self)

    def ready(self) -> int:
        """Returns the events to report now."""
        if self.disabled or (self.events & EPOLLET and self._queues and not self.armed):
            return 0
        return self.file.poll() & (self.events | ALWAYS_REPORTED) & 0xFFFF

    def text(self) -> str:
        """Its line of /proc/PID/fdinfo."""
        events = self.events | ALWAYS_REPORTED
        if self.disabled:
            events &= _BEHAVIOUR
        status = self.file.inode.stat()
        return (
            f"tfd: {self.fd:8d} events: {events:8x} data: {self.data:16x}  "
            f"pos:{getattr(self.file, 'offset', 0)} ino:{status.ino:x} "
            f"sdev:{kernel_device(status.dev):x}\n"
        )

    def mark_reported(self) -> None:
        self.armed = False
        if self.events & EPOLLONESHOT:
            self.disabled = True


class EpollFile(OpenFile):
    """A set of interests. A file is removed when its last descriptor is closed."""

    def __init__(self, inode: Inode, flags: int, budget: Budget) -> None:
        super().__init__(inode, flags | O_RDWR, "anon_inode:[eventpoll]")
        self._budget = budget
        self._interests: dict[tuple[int, OpenFile], Interest] = {}
        self.wait_queue = WaitQueue()
        self.nested = False
        """True once it was added to another set; no set may be added to it then. Sets nest one
        level deep (Linux: five), so that a poll takes bounded time."""

    def on_last_close(self) -> None:
        for interest in self._interests.values():
            interest.detach()
        self._budget.give_back(Kind.WATCH, Cost.WATCH * len(self._interests))
        self._interests.clear()

    def add(self, fd: int, file: OpenFile, events: int, data: int) -> None:
        if file is self:
            raise Errno(EINVAL)
        if (fd, file) in self._interests:
            raise Errno(EEXIST)
        if isinstance(file, EpollFile):
            if self.nested or any(isinstance(one.file, EpollFile) for one in file._enabled()):
                raise Errno(ELOOP)
            file.nested = True
        self._put(fd, file, events, data)
        self.wait_queue.wake()

    def modify(self, fd: int, file: OpenFile, events: int, data: int) -> None:
        interest = self._interests.get((fd, file))
        if interest is not None and interest.events & EPOLLEXCLUSIVE:
            raise Errno(EINVAL)
        self.remove(fd, file)
        self._put(fd, file, events, data)
        self.wait_queue.wake()

    def _put(self, fd: int, file: OpenFile, events: int, data: int) -> None:
        self._budget.take(Kind.WATCH, Cost.WATCH, ENOSPC)
        self._interests[fd, file] = Interest(self, fd, file, events, data)

    def remove(self, fd: int, file: OpenFile) -> None:
        interest = self._interests.pop((fd, file), None)
        if interest is None:
            raise Errno(ENOENT)
        self._budget.give_back(Kind.WATCH, Cost.WATCH)
        interest.detach()

    def collect(self, limit: int) -> list[tuple[int, int]]:
        """Returns (events, data) of up to ``limit`` files that are ready."""
        found: list[tuple[int, int]] = []
        for key, interest in list(self._interests.items()):
            events = interest.ready()
            if not events:
                continue
            interest.mark_reported()
            found.append((events, interest.data))
            # Move it to the end, so that no file starves when ``limit`` is small.
            self._interests[key] = self._interests.pop(key)
            if len(found) == limit:
                break
        return found

    def details(self) -> str:
        ordered = sorted(self._interests.values(), key=lambda interest: interest.fd)
        return "".join(interest.text() for interest in ordered)

    def poll(self) -> int:
        return POLLIN if any(interest.ready() for interest in self._enabled()) else 0

    def sources(self, events: int) -> Sources:
        queues = [self.wait_queue]
        host: list[HostReady] = []
        deadlines: list[int] = []
        for interest in self._enabled():
            part = interest.file.sources(interest.events)
            queues.extend(part.queues)
            host.extend(part.host)
            if part.deadline is not None:
                deadlines.append(part.deadline)
        return Sources(tuple(queues), tuple(host), min(deadlines, default=None))

    def _enabled(self) -> Iterator[Interest]:
        return (i for i in list(self._interests.values()) if not i.disabled)
