"""CPU time of processes and threads: the program's instructions, and the kernel's work for it."""

from __future__ import annotations

from kernel.base.clock import Clock, Counter


class Turn:
    """The time for which one thread has the hart.

    The host's clock of CPU time costs as much as a short system call, so it is read at the ends of
    a turn and for samples of the kernel's work. The rest of this work is measured by a cheaper
    clock, which also counts what other processes of the host take.
    """

    __slots__ = ("_clock", "_cpu_start", "_start", "kernel_cpu_ns", "kernel_ns")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._cpu_start = self._start = 0
        self.kernel_ns = 0
        """Nanoseconds of the monotonic clock that the kernel's work has taken."""
        self.kernel_cpu_ns = 0
        """Nanoseconds of CPU time of its other work."""

    def start(self) -> None:
        self._cpu_start, self._start = self._clock.cpu_time(), self._clock.monotonic()
        self.kernel_ns = self.kernel_cpu_ns = 0

    def times(self) -> tuple[int, int]:
        """Nanoseconds of CPU time since its start: all of it, and the program's part."""
        total = self._clock.cpu_time() - self._cpu_start
        elapsed = self._clock.monotonic() - self._start
        part = total * max(elapsed - self.kernel_ns, 0) // elapsed if elapsed else 0
        return total, max(part - self.kernel_cpu_ns, 0)


class CpuTime(Counter):
    """CPU time in nanoseconds of all turns of a thread or a process, the current one included."""

    __slots__ = ("_runs", "_system", "_total", "_turn", "_user", "_user_estimate")

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._runs = False
        self._total = self._user_estimate = 0
        self._user = self._system = 0

    def start(self) -> None:
        self._runs = True

    def stop(self, total: int, user: int) -> None:
        """Ends the turn, which took ``total``, of that ``user`` for the program."""
        self._total += total
        self._user_estimate += user
        self._runs = False

    def monotonic(self) -> int:
        return self._total + self._turn.times()[0] if self._runs else self._total

    def split(self) -> tuple[int, int]:
        """User and system time. Their sum is exact; neither decreases, as in Linux, though a later
        estimate of the program's part may be less.
        """
        total, user = self._total, self._user_estimate
        if self._runs:
            more = self._turn.times()
            total, user = total + more[0], user + more[1]
        self._user = max(self._user, min(user, total - self._system))
        self._system = total - self._user
        return self._user, self._system


class UserTime(Counter):
    """The user time of a :class:`CpuTime` (ITIMER_VIRTUAL)."""

    __slots__ = ("_cpu",)

    def __init__(self, cpu: CpuTime) -> None:
        self._cpu = cpu

    def monotonic(self) -> int:
        return self._cpu.split()[0]
