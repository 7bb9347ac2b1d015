"""Timers: functions to call at a time, such as waking a sleeper or sending a signal."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

from kernel.base.clock import Counter

_MIN_PURGE = 64


class Timer:
    """One deadline in nanoseconds of the monotonic clock; ``cancel`` disarms it."""

    __slots__ = ("action", "deadline")

    def __init__(self, deadline: int, action: Callable[[], None]) -> None:
        self.deadline = deadline
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        self.action = None


class Timers:
    """All pending timers, the earliest first; equal ones in the order in which they were set."""

    def __init__(self, clock: Counter) -> None:
        self._clock = clock
        self._heap: list[tuple[int, int, Timer]] = []
        self._order = count()
        self._purge_at = _MIN_PURGE

    def __bool__(self) -> bool:
        return bool(self._heap)

    def at(self, deadline: int, action: Callable[[], None]) -> Timer:
        if len(self._heap) >= self._purge_at:
            self._purge()
        timer = Timer(deadline, action)
        heapq.heappush(self._heap, (deadline, next(self._order), timer))
        return timer

    def _purge(self) -> None:
        """Removes cancelled timers: most timeouts are cancelled before they expire."""
        self._heap = [entry for entry in self._heap if entry[2].action is not None]
        heapq.heapify(self._heap)
        self._purge_at = max(_MIN_PURGE, 2 * len(self._heap))

    def next_deadline(self) -> int | None:
        """Returns the earliest deadline; None when no timer is pending."""
        while self._heap and self._heap[0][2].action is None:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def run_due(self) -> None:
        """Calls the function of every timer that is due."""
        now = self._clock.monotonic()
        while self._heap and self._heap[0][0] <= now:
            timer = heapq.heappop(self._heap)[2]
            if timer.action is not None:
                action, timer.action = timer.action, None
                action()
