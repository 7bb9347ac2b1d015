"""Interval timers that send signals: setitimer(2), timer_create(2)."""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kernel.base.budget import Cost, Kind
from kernel.base.errors import Errno
from kernel.base.resource_limits import Resource
from kernel.base.timers import Timer, Timers
from kernel.process.process import Process
from kernel.process.signals import SI_KERNEL, SI_TIMER, Sig, SigInfo

if TYPE_CHECKING:
    from kernel.base.clock import Counter


_SIGNAL_OF = (Sig.ALRM, Sig.VTALRM, Sig.PROF)


@dataclass(slots=True)
class IntervalTimer:
    """One timer of a process. ``due`` and ``interval`` are in nanoseconds, ``due`` None when off;
    of the process's own CPU time if ``on_cpu``.

    ``info`` is what it sends, None for nothing (SIGEV_NONE); to thread ``tid`` alone unless that is
    0 (SIGEV_THREAD_ID).
    """

    info: SigInfo | None
    interval: int = 0
    timer: Timer | None = None
    clock: int = 0
    overruns: int = 0
    tid: int = 0
    on_cpu: bool = False

    @property
    def due(self) -> int | None:
        return self.timer.deadline if self.timer and self.timer.action else None


class IntervalTimers:
    """The timers of all processes. Those of setitimer(2) have negative ids: -1 is ITIMER_REAL."""

    def __init__(self, timers: Timers, clock: Counter) -> None:
        self._timers = timers
        self._clock = clock

    def itimer(self, process: Process, which: int) -> IntervalTimer:
        """Setitimer's timer ``which``; VIRTUAL and PROF are alike: all CPU time is the user's."""
        timer = process.timers.get(-1 - which)
        if timer is None:
            info = SigInfo(_SIGNAL_OF[which], SI_KERNEL)
            timer = process.timers[-1 - which] = IntervalTimer(info, on_cpu=which > 0)
        return timer

    def left(self, process: Process, timer: IntervalTimer) -> int:
        """Nanoseconds until it expires; 0 when it is off."""
        if timer.due is None:
            return 0
        return max(1, timer.due - self._counter(process, timer).monotonic())

    def _counter(self, process: Process, timer: IntervalTimer) -> Counter:
        return process.cpu if timer.on_cpu else self._clock

    def create(self, process: Process, signo: int | None, value: int | None) -> int:
        """Creates a disarmed timer that sends ``signo`` with ``value`` (None: its id).

        EAGAIN when the user's timers and queued signals have reached their limit.
        """
        queued = process.pending.queued
        if queued.count >= process.limits.soft(Resource.SIGPENDING):
            raise Errno(errno.EAGAIN)
        process.kernel.budget.take(Kind.TIMER, Cost.TIMER, errno.EAGAIN)
        queued.count += 1
        number = process.next_timer
        process.next_timer += 1
        info = None
        if signo:
            fields = struct.pack("<iiQ", number, 0, number if value is None else value)
            info = SigInfo(signo, SI_TIMER, fields)
        process.timers[number] = IntervalTimer(info)
        return number

    def set(self, process: Process, timer: IntervalTimer, wait: int | None, interval: int) -> None:
        """Expires in ``wait`` nanoseconds, None for never, and every ``interval`` after."""
        due = None if wait is None else self._counter(process, timer).monotonic() + wait
        self._set(process, timer, due, interval)

    def _set(self, process: Process, timer: IntervalTimer, due: int | None, interval: int) -> None:
        if timer.timer is not None:
            timer.timer.cancel()
        timer.timer, timer.interval = None, interval
        if due is not None:
            timers = process.cpu_timers if timer.on_cpu else self._timers
            timer.timer = timers.at(due, lambda: self._expire(process, timer))

    def _expire(self, process: Process, timer: IntervalTimer) -> None:
        due = timer.timer.deadline if timer.timer else 0
        timer.timer = None
        if not process.alive:
            return
        if timer.interval:
            late = self._counter(process, timer).monotonic() - due
            missed = max(0, late) // timer.interval
            timer.overruns = missed
            self._set(process, timer, due + (missed + 1) * timer.interval, timer.interval)
        if timer.info is None:
            return
        if not timer.tid:
            process.send_signal(timer.info)
        elif timer.tid in process.threads:
            process.kernel.signals.send_thread(process.threads[timer.tid], timer.info)

    def cancel(self, process: Process, *, keep_itimers: bool = False) -> None:
        """Deletes a process's timers, at its end or, all but setitimer's, at its exec."""
        for number in list(process.timers):
            if keep_itimers and number < 0:
                continue
            self.delete(process, number)

    def delete(self, process: Process, number: int) -> None:
        """Deletes a process's timer ``number``."""
        timer = process.timers.pop(number)
        if timer.timer is not None:
            timer.timer.cancel()
        if number >= 0:
            process.pending.queued.count -= 1
            process.kernel.budget.give_back(Kind.TIMER, Cost.TIMER)
