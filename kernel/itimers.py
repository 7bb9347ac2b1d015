"""Interval timers that send signals: setitimer(2), timer_create(2)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kernel.process import Process
from kernel.signals import SI_KERNEL, SI_TIMER, Sig, SigInfo
from kernel.timers import Timer, Timers

if TYPE_CHECKING:
    from kernel.clock import Clock


@dataclass(slots=True)
class IntervalTimer:
    """One timer of a process. ``due`` and ``interval`` are in nanoseconds, ``due`` None when off.

    ``info`` is what it sends, None for nothing (SIGEV_NONE); to thread ``tid`` alone unless that is
    0 (SIGEV_THREAD_ID).
    """

    info: SigInfo | None
    interval: int = 0
    timer: Timer | None = None
    clock: int = 0
    overruns: int = 0
    tid: int = 0

    @property
    def due(self) -> int | None:
        return self.timer.deadline if self.timer and self.timer.action else None


class IntervalTimers:
    """The timers of all processes. A process's ITIMER_REAL has the id REAL."""

    REAL = -1

    def __init__(self, timers: Timers, clock: Clock) -> None:
        self._timers = timers
        self._clock = clock

    def real(self, process: Process) -> IntervalTimer:
        timer = process.timers.get(self.REAL)
        if timer is None:
            timer = process.timers[self.REAL] = IntervalTimer(SigInfo(Sig.ALRM, SI_KERNEL))
        return timer

    def create(self, process: Process, signo: int | None, value: int | None) -> int:
        """A timer that is not set yet, sending ``signo`` with ``value`` (None: its id); its id."""
        number = next(n for n in range(len(process.timers) + 1) if n not in process.timers)
        info = None
        if signo:
            fields = struct.pack("<iiQ", number, 0, number if value is None else value)
            info = SigInfo(signo, SI_TIMER, fields)
        process.timers[number] = IntervalTimer(info)
        return number

    def set(self, process: Process, timer: IntervalTimer, due: int | None, interval: int) -> None:
        if timer.timer is not None:
            timer.timer.cancel()
        timer.timer, timer.interval = None, interval
        if due is not None:
            timer.timer = self._timers.at(due, lambda: self._expire(process, timer))

    def _expire(self, process: Process, timer: IntervalTimer) -> None:
        due = timer.timer.deadline if timer.timer else 0
        timer.timer = None
        if not process.alive:
            return
        if timer.interval:
            missed = max(0, self._clock.monotonic() - due) // timer.interval
            timer.overruns = missed
            self.set(process, timer, due + (missed + 1) * timer.interval, timer.interval)
        if timer.info is None:
            return
        if not timer.tid:
            process.send_signal(timer.info)
        elif timer.tid in process.threads:
            process.kernel.signals.send_thread(process.threads[timer.tid], timer.info)

    def cancel(self, process: Process, *, keep_real: bool = False) -> None:
        """Deletes a process's timers, at its end or, all but ITIMER_REAL, at its exec."""
        for number, timer in list(process.timers.items()):
            if keep_real and number == self.REAL:
                continue
            if timer.timer is not None:
                timer.timer.cancel()
            del process.timers[number]
