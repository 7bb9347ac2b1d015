"""Waiting: what a blocked thread waits for, and how it is woken.

A system call that has to wait is a generator. It yields a :class:`Wait`; the scheduler runs other
threads, and resumes the generator when one of the wait's queues was woken, one of its host
descriptors is ready, or its deadline has passed. Being resumed is only a hint: the generator looks
again whether what it waits for is there, and yields again if not.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol

from kernel.base.errors import Interrupted


class Sleeper(Protocol):
    """Whoever can be put on a queue: in practice a thread."""

    def wake(self) -> None: ...


class WaitQueue:
    """Those who wait for one thing to change, in the order in which they came."""

    __slots__ = ("_sleepers",)

    def __init__(self) -> None:
        self._sleepers: dict[Sleeper, None] = {}

    def add(self, sleeper: Sleeper) -> None:
        self._sleepers[sleeper] = None

    def discard(self, sleeper: Sleeper) -> None:
        self._sleepers.pop(sleeper, None)

    def wake(self) -> None:
        """Makes every sleeper runnable; each looks for itself whether its wait is over."""
        if self._sleepers:
            for sleeper in list(self._sleepers):
                sleeper.wake()


@dataclass(frozen=True, slots=True)
class HostReady:
    """A descriptor of the host to wait for; ``events`` are poll(2)'s POLLIN and POLLOUT."""

    fd: int
    events: int


@dataclass(frozen=True, slots=True)
class Wait:
    """What a thread waits for: any one of these is enough to wake it.

    ``what`` completes the sentence "pid 3 waits for …". ``deadline`` is in nanoseconds of the
    kernel's monotonic clock, None for ever.
    """

    what: str
    queues: tuple[WaitQueue, ...] = ()
    host: tuple[HostReady, ...] = ()
    deadline: int | None = None


Blocking = Generator[Wait, None, int]
"""A system call that may wait; what it returns at last is the guest's a0."""


def interrupted() -> Blocking:
    """A call that is broken off at once, by a signal that it has brought about."""
    raise Interrupted
    yield


Result = int | Blocking | None
"""What a system call's function returns: its result at once, a generator that will, or None when
the call does not return to its caller (exit, a successful execve, rt_sigreturn)."""
