"""Processor time: how long a process or a thread has had the hart."""

from __future__ import annotations

from kernel.base.clock import Counter


class CpuTime(Counter):
    """Adds up turns on the hart, the current one too, in nanoseconds."""

    __slots__ = ("_began", "_clock", "_total")

    def __init__(self, clock: Counter) -> None:
        self._clock = clock
        self._total = 0
        self._began: int | None = None

    def start(self, now: int) -> None:
        self._began = now

    def stop(self, now: int) -> None:
        if self._began is not None:
            self._total += now - self._began
            self._began = None

    def monotonic(self) -> int:
        if self._began is None:
            return self._total
        return self._total + self._clock.monotonic() - self._began
