"""Timers that can be waited for (timerfd_create(2))."""

from __future__ import annotations

import struct
from collections.abc import Callable

from kernel.base.errno import EINVAL
from kernel.base.errors import Errno
from kernel.base.wait import WaitQueue
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.linux_abi import O_RDWR, POLLIN
from kernel.vfs.core.open_file import OpenFile, Sources

_SECOND = 1_000_000_000


class TimerFile(OpenFile):
    """A timer and the count of its expirations. Times are in nanoseconds; ``now`` reads the
    timer's clock, number ``clock``; ``monotonic`` reads the clock of deadlines.
    """

    stream = True

    def __init__(
        self,
        inode: Inode,
        flags: int,
        clock: int,
        now: Callable[[], int],
        monotonic: Callable[[], int],
    ) -> None:
        super().__init__(inode, flags | O_RDWR, "anon_inode:[timerfd]")
        self.clock = clock
        self.now = now
        self.monotonic = monotonic
        self.expires = 0
        """Time of the next expiration by the timer's clock; 0 when disarmed."""
        self.interval = 0
        self.set_flags = 0
        """Flags of the last timerfd_settime(2)."""
        self.wait_queue = WaitQueue()

    def set(self, expires: int, interval: int, flags: int) -> None:
        self.expires, self.interval, self.set_flags = expires, interval, flags
        self.wait_queue.wake()

    def remaining(self) -> int:
        """Returns the nanoseconds until the next expiration; 0 when disarmed."""
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
            return Sources((self.wait_queue,))
        deadline = self.monotonic() + max(0, self.expires - self.now())
        return Sources((self.wait_queue,), (), deadline)

    def details(self) -> str:
        due = self.poll() != 0
        value = divmod(0 if due else self.remaining(), _SECOND)
        interval = divmod(self.interval, _SECOND)
        return (
            f"clockid: {self.clock}\nticks: {due:d}\nsettime flags: 0{self.set_flags:o}\n"
            f"it_value: ({value[0]}, {value[1]})\nit_interval: ({interval[0]}, {interval[1]})\n"
        )

    def describe(self) -> str:
        return "a timerfd"
