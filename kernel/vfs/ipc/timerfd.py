"""timerfd_create(2): a timer one can wait for."""

from __future__ import annotations

import struct
from collections.abc import Callable

from kernel.base.errno import EINVAL
from kernel.base.errors import Errno
from kernel.base.wait import WaitQueue
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.linux_abi import O_RDWR, POLLIN
from kernel.vfs.core.open_file import OpenFile, Sources


class TimerFile(OpenFile):
    """Counts how often it went off. Times are in nanoseconds; ``now`` is the timer's own clock,
    ``monotonic`` the one deadlines are in.
    """

    stream = True

    def __init__(
        self, inode: Inode, flags: int, now: Callable[[], int], monotonic: Callable[[], int]
    ) -> None:
        super().__init__(inode, flags | O_RDWR, "anon_inode:[timerfd]")
        self.now = now
        self.monotonic = monotonic
        self.expires = 0
        """When it goes off next, by its own clock; 0: disarmed."""
        self.interval = 0
        self.changed = WaitQueue()

    def set(self, expires: int, interval: int) -> None:
        self.expires, self.interval = expires, interval
        self.changed.wake()

    def left(self) -> int:
        """Nanoseconds until it goes off; 0 when disarmed."""
        if not self.expires:
            return 0
        late = self.now() - self.expires
        if late < 0:
            return -late
        return self.interval - late % self.interval if self.interval else 0

    def read(self, count: int) -> bytes | None:
        if count < 8:
            raise Errno(EINVAL)
        late = self.now() - self.expires
        if not self.expires or late < 0:
            return None
        times = 1
        if self.interval:
            times += late // self.interval
            self.expires += times * self.interval
        else:
            self.expires = 0
        return struct.pack("<Q", times)

    def poll(self) -> int:
        return POLLIN if self.expires and self.now() >= self.expires else 0

    def sources(self, events: int) -> Sources:
        if not self.expires:
            return Sources((self.changed,))
        deadline = self.monotonic() + max(0, self.expires - self.now())
        return Sources((self.changed,), (), deadline)

    def describe(self) -> str:
        return "a timerfd"
