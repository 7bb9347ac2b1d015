"""Interval timers that send signals: setitimer(2), timer_create(2).

Timers of setitimer(2) have negative numbers: -1 is ITIMER_REAL.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from kernel.base.budget import Cost, Kind
from kernel.base.cpu_time import UserTime
from kernel.base.errno import EAGAIN
from kernel.base.errors import Errno
from kernel.base.resource_limits import Resource
from kernel.process.process import IntervalTimer, Process, TimerKind
from kernel.process.signal_send import send_process, send_thread
from kernel.process.signals.signals import SI_KERNEL, SI_TIMER, Sig, SigInfo

if TYPE_CHECKING:
    from kernel.base.clock import Counter
    from kernel.base.timers import Timers
    from kernel.process.state import KernelState

_SIGNAL_OF = (Sig.ALRM, Sig.VTALRM, Sig.PROF)
_KIND_OF = (TimerKind.REAL, TimerKind.USER, TimerKind.CPU)


def itimer(process: Process, which: int) -> IntervalTimer:
    """The timer ``which`` of setitimer(2)."""
    timer = process.timers.get(-1 - which)
    if timer is None:
        info = SigInfo(_SIGNAL_OF[which], SI_KERNEL)
        timer = process.timers[-1 - which] = IntervalTimer(info, _KIND_OF[which])
    return timer


def remaining(kernel: KernelState, process: Process, timer: IntervalTimer) -> int:
    """Nanoseconds until it expires; 0 when it is off."""
    if timer.due is None:
        return 0
    return max(1, timer.due - _counter(kernel, process, timer).monotonic())


def _counter(kernel: KernelState, process: Process, timer: IntervalTimer) -> Counter:
    if timer.kind is TimerKind.REAL:
        return kernel.clock
    cpu = process.counters.cpu
    return UserTime(cpu) if timer.kind is TimerKind.USER else cpu


def _timers(kernel: KernelState, process: Process, timer: IntervalTimer) -> Timers:
    return kernel.timers if timer.kind is TimerKind.REAL else process.timers_of(timer.kind)


def create(kernel: KernelState, process: Process, signo: int | None, value: int | None) -> int:
    """Creates a disarmed timer that sends ``signo`` with ``value`` (None: its id).

    EAGAIN when the user's timers and queued signals have reached their limit.
    """
    queued = process.pending.queued
    if queued.count >= process.limits.soft(Resource.SIGPENDING):
        raise Errno(EAGAIN)
    kernel.budget.take(Kind.TIMER, Cost.TIMER, EAGAIN)
    queued.count += 1
    number = process.next_timer
    process.next_timer += 1
    info = None
    if signo:
        fields = struct.pack("<iiQ", number, 0, number if value is None else value)
        info = SigInfo(signo, SI_TIMER, fields)
    process.timers[number] = IntervalTimer(info)
    return number


def arm(
    kernel: KernelState, process: Process, timer: IntervalTimer, wait: int | None, interval: int
) -> None:
    """Lets a timer expire in ``wait`` nanoseconds (None: never), and every ``interval`` after."""
    due = None if wait is None else _counter(kernel, process, timer).monotonic() + wait
    _arm_at(kernel, process, timer, due, interval)


def _arm_at(
    kernel: KernelState, process: Process, timer: IntervalTimer, due: int | None, interval: int
) -> None:
    if timer.timer is not None:
        timer.timer.cancel()
    timer.timer, timer.interval = None, interval
    if due is not None:
        timer.timer = _timers(kernel, process, timer).at(
            due, lambda: _expire(kernel, process, timer)
        )


def _expire(kernel: KernelState, process: Process, timer: IntervalTimer) -> None:
    due = timer.timer.deadline if timer.timer else 0
    timer.timer = None
    if not process.alive:
        return
    if timer.interval:
        late = _counter(kernel, process, timer).monotonic() - due
        missed = max(0, late) // timer.interval
        timer.overruns = missed
        _arm_at(kernel, process, timer, due + (missed + 1) * timer.interval, timer.interval)
    if timer.info is None:
        return
    if not timer.tid:
        send_process(kernel, process, timer.info)
    elif timer.tid in process.threads:
        send_thread(kernel, process.threads[timer.tid], timer.info)


def delete_all(kernel: KernelState, process: Process, *, keep_itimers: bool = False) -> None:
    """Deletes a process's timers at its end; at exec all but those of setitimer(2)."""
    for number in list(process.timers):
        if keep_itimers and number < 0:
            continue
        delete(kernel, process, number)


def delete(kernel: KernelState, process: Process, number: int) -> None:
    """Deletes a process's timer ``number``."""
    timer = process.timers.pop(number)
    if timer.timer is not None:
        timer.timer.cancel()
    if number >= 0:
        process.pending.queued.count -= 1
        kernel.budget.give_back(Kind.TIMER, Cost.TIMER)
