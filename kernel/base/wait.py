"""Waiting: wait queues, and the conditions that a blocked thread waits for.

A system call that has to wait is a generator. It yields a :class:`Wait`; the scheduler runs other
threads, and resumes the generator when one of the wait's queues was woken, one of its host
descriptors is ready, or its deadline has passed. Wake-ups may be spurious: the generator checks its
condition again, and yields again if it does not hold.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from kernel.base.errors import Interrupted


class Sleeper(Protocol):
    """An entry of a wait queue: a waiting thread, or an epoll interest."""

    def wake(self) -> None: ...


class WaitQueue:
    """The sleepers that wait for one condition, in the order of their arrival."""

    __slots__ = ("_sleepers",)

    def __init__(self) -> None:
        self._sleepers: dict[Sleeper, None] = {}

    def add(self, sleeper: Sleeper) -> None:
        self._sleepers[sleeper] = None

    def discard(self, sleeper: Sleeper) -> None:
        self._sleepers.pop(sleeper, None)

    def wake(self) -> None:
        """Wakes every sleeper; each checks its own condition."""
        if self._sleepers:
            for sleeper in list(self._sleepers):
                sleeper.wake()


class HostReady(NamedTuple):
    """A host descriptor to wait for; ``events`` are POLLIN and POLLOUT of poll(2)."""

    fd: int
    events: int


@dataclass(frozen=True, slots=True)
class Wait:
    """The conditions of a waiting thread, any of which wakes it.

    ``what`` completes the sentence "pid 3 waits for …". ``deadline`` is in nanoseconds of the
    kernel's monotonic clock, None for no time limit.
    """

    what: str
    queues: tuple[WaitQueue, ...] = ()
    host: tuple[HostReady, ...] = ()
    deadline: int | None = None


Blocking = Generator[Wait, None, int]
"""A system call that may wait; its return value is the guest's a0."""


def interrupted() -> Blocking:
    """A call that is interrupted at once, by a signal that it caused itself."""
    raise Interrupted
    yield


Result = int | Blocking | None
"""Return value of a system call's function: the result, a generator that returns it later, or None
when the call does not return to its caller (exit, a successful execve, rt_sigreturn)."""
