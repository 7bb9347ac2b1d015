"""epoll(7): a set of files, of which one asks which are ready."""

from __future__ import annotations

from collections.abc import Iterator

from kernel.base.budget import Budget, Cost, Kind
from kernel.base.errno import EEXIST, EINVAL, ELOOP, ENOENT, ENOSPC
from kernel.base.errors import Errno
from kernel.base.wait import HostReady, WaitQueue
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.linux_abi import O_RDWR, POLLERR, POLLHUP, POLLIN
from kernel.vfs.core.open_file import OpenFile, Sources

EPOLLEXCLUSIVE, EPOLLWAKEUP, EPOLLONESHOT, EPOLLET = 1 << 28, 1 << 29, 1 << 30, 1 << 31
ALWAYS_REPORTED = POLLERR | POLLHUP


class Interest:
    """One file of a set: which events, and the 64 bits the guest wants back with them."""

    def __init__(self, owner: EpollFile, fd: int, file: OpenFile, events: int, data: int) -> None:
        self._owner = owner
        self.fd = fd
        self.file = file
        self.events = events
        self.data = data
        self.armed = True
        """Edge-triggered: something happened since it was last reported."""
        self.spent = False
        """One-shot: it was reported, and waits for EPOLL_CTL_MOD."""
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

    def forget(self) -> None:
        self.file.watchers.pop(self, None)
        for queue in self._queues:
            queue.discard(self)

    def ready(self) -> int:
        """The events to report now."""
        if self.spent or (self.events & EPOLLET and self._queues and not self.armed):
            return 0
        return self.file.poll() & (self.events | ALWAYS_REPORTED) & 0xFFFF

    def reported(self) -> None:
        self.armed = False
        if self.events & EPOLLONESHOT:
            self.spent = True


class EpollFile(OpenFile):
    """A set of interests. A file leaves it when its last descriptor was closed."""

    def __init__(self, inode: Inode, flags: int, budget: Budget) -> None:
        super().__init__(inode, flags | O_RDWR, "anon_inode:[eventpoll]")
        self._budget = budget
        self._interests: dict[tuple[int, OpenFile], Interest] = {}
        self.changed = WaitQueue()
        self.nested = False
        """It is or was in another set, so no set may be put in it: sets nest once, where Linux
        allows five levels, and looking through them takes bounded time."""

    def released(self) -> None:
        for interest in self._interests.values():
            interest.forget()
        self._budget.give_back(Kind.WATCH, Cost.WATCH * len(self._interests))
        self._interests.clear()

    def add(self, fd: int, file: OpenFile, events: int, data: int) -> None:
        if file is self:
            raise Errno(EINVAL)
        if (fd, file) in self._interests:
            raise Errno(EEXIST)
        if isinstance(file, EpollFile):
            if self.nested or any(isinstance(one.file, EpollFile) for one in file._live()):
                raise Errno(ELOOP)
            file.nested = True
        self._put(fd, file, events, data)
        self.changed.wake()

    def modify(self, fd: int, file: OpenFile, events: int, data: int) -> None:
        interest = self._interests.get((fd, file))
        if interest is not None and interest.events & EPOLLEXCLUSIVE:
            raise Errno(EINVAL)
        self.remove(fd, file)
        self._put(fd, file, events, data)
        self.changed.wake()

    def _put(self, fd: int, file: OpenFile, events: int, data: int) -> None:
        self._budget.take(Kind.WATCH, Cost.WATCH, ENOSPC)
        self._interests[fd, file] = Interest(self, fd, file, events, data)

    def remove(self, fd: int, file: OpenFile) -> None:
        interest = self._interests.pop((fd, file), None)
        if interest is None:
            raise Errno(ENOENT)
        self._budget.give_back(Kind.WATCH, Cost.WATCH)
        interest.forget()

    def collect(self, most: int) -> list[tuple[int, int]]:
        """(events, data) of up to ``most`` files that are ready."""
        found: list[tuple[int, int]] = []
        for key, interest in list(self._interests.items()):
            events = interest.ready()
            if not events:
                continue
            interest.reported()
            found.append((events, interest.data))
            # It goes to the end, so that with few places every file has its turn.
            self._interests[key] = self._interests.pop(key)
            if len(found) == most:
                break
        return found

    def poll(self) -> int:
        return POLLIN if any(interest.ready() for interest in self._live()) else 0

    def sources(self, events: int) -> Sources:
        queues = [self.changed]
        host: list[HostReady] = []
        deadlines: list[int] = []
        for interest in self._live():
            part = interest.file.sources(interest.events)
            queues.extend(part.queues)
            host.extend(part.host)
            if part.deadline is not None:
                deadlines.append(part.deadline)
        return Sources(tuple(queues), tuple(host), min(deadlines, default=None))

    def _live(self) -> Iterator[Interest]:
        return (i for i in list(self._interests.values()) if not i.spent)
