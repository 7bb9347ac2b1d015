"""CPU time of processes and threads."""

from __future__ import annotations

from kernel.base.clock import Clock, Counter


class CpuTime(Counter):
    """Total nanoseconds of the clock's CPU time, including the current turn: of the program's
    instructions, and of the kernel's work for it.
    """

    __slots__ = ("_clock", "_start", "_total")

    def __init__(self, clock: Clock) -> None:
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
        return self._total + self._clock.cpu_time() - self._start
