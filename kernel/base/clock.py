"""Clocks of the guests: the host's, or a virtual one that makes runs repeatable."""

from __future__ import annotations

import time
from typing import Final, Protocol

NS = 1_000_000_000


class Counter(Protocol):
    """A counter of nanoseconds that never decreases."""

    def monotonic(self) -> int: ...


class Clock(Counter, Protocol):
    """A clock in nanoseconds. A ``virtual`` one advances only with the work of the machine."""

    virtual: bool

    def realtime(self) -> int: ...

    def cpu_time(self) -> int:
        """Nanoseconds for which the machine has executed: the host's CPU time, or the virtual."""

    def advance(self, ns: int) -> None:
        """Advances a virtual clock by ``ns``; a host clock is left alone."""

    def skip_to(self, deadline: int) -> None:
        """Advances a virtual clock to ``deadline`` (monotonic), before which nothing happens."""


class HostClock:
    def __init__(self) -> None:
        self.virtual = False
        self.monotonic = time.monotonic_ns
        self.realtime = time.time_ns
        self.cpu_time = time.thread_time_ns

    def advance(self, ns: int) -> None:
        pass

    def skip_to(self, deadline: int) -> None:
        pass


_EPOCH: Final = 1_577_836_800 * NS


class VirtualClock:
    """Starts at one second after boot, on 2020-01-01 00:00:00 UTC, independent of the host."""

    def __init__(self) -> None:
        self.virtual = True
        self._now = NS

    def monotonic(self) -> int:
        return self._now

    def realtime(self) -> int:
        return _EPOCH + self._now

    def cpu_time(self) -> int:
        return self._now

    def advance(self, ns: int) -> None:
        self._now += ns

    def skip_to(self, deadline: int) -> None:
        self._now = max(self._now, deadline)
