"""System calls on time: clocks, sleep, interval timers."""

from __future__ import annotations

import struct
from collections.abc import Generator

from kernel.base.clock import NS, Counter
from kernel.base.errno import EINTR, EINVAL, EOPNOTSUPP, EPERM
from kernel.base.errors import Errno, Interrupted
from kernel.base.wait import Result, Wait
from kernel.process.process import IntervalTimer, TimerKind
from kernel.process.signals.signals import HIGHEST, Sig
from kernel.process.timers import interval_timers
from kernel.syscalls.context import SyscallContext

_REALTIME, _MONOTONIC, _PROCESS_CPU, _THREAD_CPU = 0, 1, 2, 3
_MONOTONIC_RAW, _REALTIME_COARSE, _MONOTONIC_COARSE, _BOOTTIME, _TAI = 4, 5, 6, 7, 11
_REAL_CLOCKS = frozenset((_REALTIME, _REALTIME_COARSE, _TAI))
_CPU_CLOCKS = frozenset((_PROCESS_CPU, _THREAD_CPU))
_CLOCKS = _REAL_CLOCKS | _CPU_CLOCKS | {_MONOTONIC, _MONOTONIC_RAW, _MONOTONIC_COARSE, _BOOTTIME}
_PER_THREAD, _DEVICE = 4, 3
"""Lowest bits of a negative clock number: a CPU clock of a thread; the clock of a device."""
_WITHOUT_TIMER = frozenset((_MONOTONIC_RAW, _REALTIME_COARSE, _MONOTONIC_COARSE))
_WITHOUT_ALARM = _WITHOUT_TIMER | {_THREAD_CPU}
_TIMER_ABSTIME = 1
_LONGEST = 1 << 62
_ITIMER_REAL, _ITIMER_PROF = 0, 2
_SIGEV_SIGNAL, _SIGEV_NONE, _SIGEV_THREAD, _SIGEV_THREAD_ID = 0, 1, 2, 4


def now(t: SyscallContext, clock: int) -> int:
    """Returns the time of a clock in nanoseconds."""
    if clock in _REAL_CLOCKS:
        return t.kernel.clock.realtime()
    return _counter(t, clock).monotonic()


def _counter(t: SyscallContext, clock: int) -> Counter:
    """Returns the counter of a clock."""
    if clock in _CPU_CLOCKS:
        return (t.process if clock == _PROCESS_CPU else t.thread).counters.cpu
    if clock in _CLOCKS:
        return t.kernel.clock
    if clock >= 0 or clock & 3 == 3:
        raise Errno(EINVAL)
    return _cpu_clock(t, ~clock >> 3, bool(clock & _PER_THREAD))


def _is_device(clock: int) -> bool:
    return clock < 0 and clock & 7 == _DEVICE


def _cpu_clock(t: SyscallContext, number: int, per_thread: bool) -> Counter:
    """Returns the CPU clock of the process or thread whose ID a negative clock number has; the
    ID 0 is the caller's (pthread_getcpuclockid(3)).
    """
    candidates = t.process.threads if per_thread else t.kernel.processes
    owner = candidates.get(number or (t.tid if per_thread else t.process.pid))
    if owner is None:
        raise Errno(EINVAL)
    return owner.counters.cpu


def clock_gettime(t: SyscallContext, clock: int, address: int) -> int:
    t.mem.write(address, struct.pack("<qq", *divmod(now(t, clock), NS)))
    return 0


def clock_getres(t: SyscallContext, clock: int, address: int) -> int:
    now(t, clock)
    if address:
        t.mem.write(address, struct.pack("<qq", 0, 1))
    return 0


def clock_settime(t: SyscallContext, clock: int, address: int) -> int:
    raise Errno(EPERM)


def gettimeofday(t: SyscallContext, address: int, zone: int) -> int:
    if address:
        seconds, ns = divmod(t.kernel.clock.realtime(), NS)
        t.mem.write(address, struct.pack("<qq", seconds, ns // 1000))
    if zone:
        t.mem.write(zone, bytes(8))
    return 0


# Sleep.


def nanosleep(t: SyscallContext, request: int, remaining: int) -> Result:
    duration = _timespec(t, request)
    return _sleep(t, t.kernel.clock.monotonic() + duration, remaining)


def clock_nanosleep(
    t: SyscallContext, clock: int, flags: int, request: int, remaining: int
) -> Result:
    if clock in _WITHOUT_ALARM or _is_device(clock):
        raise Errno(EOPNOTSUPP)
    current = now(t, clock)
    requested = _timespec(t, request)
    if not flags & _TIMER_ABSTIME:
        return _sleep(t, t.kernel.clock.monotonic() + requested, remaining)
    return _sleep(t, t.kernel.clock.monotonic() + max(0, requested - current), 0)


def _timespec(t: SyscallContext, address: int) -> int:
    """Reads a struct timespec in nanoseconds; EINVAL for an invalid one."""
    seconds: int
    nanoseconds: int
    seconds, nanoseconds = struct.unpack("<qq", t.mem.read(address, 16))
    if seconds < 0 or not 0 <= nanoseconds < NS:
        raise Errno(EINVAL)
    return min(seconds * NS + nanoseconds, _LONGEST)


def _sleep(t: SyscallContext, deadline: int, remaining: int) -> Result:
    clock = t.kernel.clock

    def blocking() -> Generator[Wait, None, int]:
        while clock.monotonic() < deadline:
            try:
                yield Wait("time to pass", deadline=deadline)
            except Interrupted:
                left = deadline - clock.monotonic()
                if left <= 0:
                    return 0
                if remaining:
                    t.mem.write(remaining, struct.pack("<qq", *divmod(left, NS)))
                raise Errno(EINTR) from None
        return 0

    return blocking()


# Interval timers.


def setitimer(t: SyscallContext, which: int, new: int, old: int) -> int:
    _check_itimer(which)
    timer = interval_timers.itimer(t.process, which)
    before = _itimerval(t, timer)
    if new:
        words = struct.unpack("<4q", t.mem.read(new, 32))
        if words[0] < 0 or words[2] < 0 or not all(0 <= us < 1_000_000 for us in words[1::2]):
            raise Errno(EINVAL)
        interval, value = (min(words[n] * NS + words[n + 1] * 1000, _LONGEST) for n in (0, 2))
        interval_timers.arm(t.kernel, t.process, timer, value or None, interval)
    if old:
        t.mem.write(old, before)
    return 0


def getitimer(t: SyscallContext, which: int, address: int) -> int:
    _check_itimer(which)
    t.mem.write(address, _itimerval(t, interval_timers.itimer(t.process, which)))
    return 0


def _check_itimer(which: int) -> None:
    if not _ITIMER_REAL <= which <= _ITIMER_PROF:
        raise Errno(EINVAL)


def _itimerval(t: SyscallContext, timer: IntervalTimer) -> bytes:
    left = interval_timers.remaining(t.kernel, t.process, timer)
    interval, left = timer.interval, max(1000, left) if left else 0
    words = (*divmod(interval, NS), *divmod(left, NS))
    return struct.pack("<4q", words[0], words[1] // 1000, words[2], words[3] // 1000)


def timer_create(t: SyscallContext, clock: int, event: int, address: int) -> int:
    if clock in _WITHOUT_TIMER or _is_device(clock):
        raise Errno(EOPNOTSUPP)
    now(t, clock)
    signo: int | None = Sig.ALRM
    value: int | None = None
    tid = 0
    if event:
        value, signo, notify, tid = struct.unpack("<Qiii", t.mem.read(event, 20))
        if notify not in (_SIGEV_SIGNAL, _SIGEV_NONE, _SIGEV_THREAD, _SIGEV_THREAD_ID):
            raise Errno(EINVAL)
        if notify == _SIGEV_NONE:
            signo = None
        elif not 1 <= signo <= HIGHEST:
            raise Errno(EINVAL)
        if notify != _SIGEV_THREAD_ID:
            tid = 0
        elif tid not in t.process.threads:
            raise Errno(EINVAL)
    number = interval_timers.create(t.kernel, t.process, signo, value)
    t.process.timers[number].clock = clock
    if clock < 0 or clock in _CPU_CLOCKS:
        t.process.timers[number].kind = TimerKind.CPU
    t.process.timers[number].tid = tid
    try:
        t.mem.write_u32(address, number)
    except Errno:
        interval_timers.delete(t.kernel, t.process, number)
        raise
    return 0


def timer_settime(t: SyscallContext, number: int, flags: int, new: int, old: int) -> int:
    timer = _timer(t, number)
    if not new:
        raise Errno(EINVAL)
    before = _itimerspec(t, timer)
    interval, value = _timespec(t, new), _timespec(t, new + 16)
    wait = None
    if value:
        wait = max(0, value - now(t, timer.clock)) if flags & _TIMER_ABSTIME else value
    interval_timers.arm(t.kernel, t.process, timer, wait, interval)
    if old:
        t.mem.write(old, before)
    return 0


def timer_gettime(t: SyscallContext, number: int, address: int) -> int:
    t.mem.write(address, _itimerspec(t, _timer(t, number)))
    return 0


def timer_getoverrun(t: SyscallContext, number: int) -> int:
    return _timer(t, number).overruns


def timer_delete(t: SyscallContext, number: int) -> int:
    _timer(t, number)
    interval_timers.delete(t.kernel, t.process, number)
    return 0


def _timer(t: SyscallContext, number: int) -> IntervalTimer:
    timer = t.process.timers.get(number)
    if timer is None or number < 0:
        raise Errno(EINVAL)
    return timer


def _itimerspec(t: SyscallContext, timer: IntervalTimer) -> bytes:
    left = interval_timers.remaining(t.kernel, t.process, timer)
    return struct.pack("<4q", *divmod(timer.interval, NS), *divmod(left, NS))
