"""CPU time of processes and threads."""

from __future__ import annotations

from kernel.base.clock import Counter


class CpuTime(Counter):
    """Total nanoseconds on the hart, including the current turn."""

    __slots__ = ("_clock", "_start", "_total")

    def __init__(self, clock: Counter) -> None:
        self._clock = clock
        self._total = 0
        self._start: int | None = None

    def start(self, now: int) -> None:
        self._start = now

    def stop(self, now: int) -> None:
        if self._start is not None:
            self._total += now - self._start
            self._start = None

    def monotonic(self) -> int:
        if self._start is None:
            return self._total
        return self._total + self._clock.monotonic() - self._start
