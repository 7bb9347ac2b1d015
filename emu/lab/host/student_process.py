"""Starts and ends the process that runs a student's code, with deadlines for its replies."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Mapping
from contextlib import suppress
from time import clock_gettime, monotonic, sleep
from typing import Any, NamedTuple

from emu.lab.host.student_launcher import student_launcher
from emu.lab.protocol import channel

_START_SECONDS = 600.0
"""Seconds that the host may take to start the process, before the code's own time limit."""
_REPORT_SECONDS = 1.0
"""Seconds that late code has to report the lines being executed."""
_BUSY_HOST_FACTOR = 6
"""Maximum duration of a call on a busy host, as a multiple of its limit."""
_MAX_MESSAGE = 16 << 20
"""Maximum size of a message from the code in bytes; as Python values it may take 20 times more."""
_EXIT_SECONDS = 0.005
"""Interval in seconds at which the status of a process that is about to exit is read."""
_POLL_SECONDS = 0.25
"""Interval in seconds at which the CPU time of late code is read."""


class Limits(NamedTuple):
    """Resource limits of a student's process."""

    seconds: float = 5.0
    """CPU time of one call; on a busy host more real time passes."""
    cpu_seconds: int = 60
    """CPU time of all calls."""
    memory: int = 512 << 20
    """Bytes of address space, without the machine's memory."""


class StudentProcess:
    """A process of ``emu.lab.sandbox``, which maps ``memory``, a descriptor."""

    def __init__(self, memory: int, settings: Mapping[str, Any], limits: Limits) -> None:
        self._limits = limits
        requests, self._to = os.pipe()
        self._from, replies = os.pipe()
        self._launcher = student_launcher()
        self._pid = self._launcher.start(requests, replies, memory)
        """0 if it could not be started: then both pipes are closed at their other ends."""
        os.close(requests)
        os.close(replies)
        os.set_blocking(self._to, False)
        self._source = _TimedDescriptor(self._from)
        with suppress(channel.Closed):  # then receiving fails too
            self.send({**settings, "seconds": limits.cpu_seconds}, self.start_deadline())

    def start_deadline(self) -> Deadline:
        """Returns a deadline for the start of the process."""
        return Deadline(0, _START_SECONDS)

    def deadline(self) -> Deadline:
        """Returns a deadline for a call that begins now."""
        return Deadline(self._pid, self._limits.seconds)

    def send(self, message: Any, deadline: Deadline) -> None:
        """Sends a message. Raises TimeoutError and :class:`channel.Closed`."""
        data = memoryview(channel.frame(message))
        while data:
            try:
                data = data[os.write(self._to, data) :]
            except BlockingIOError:
                deadline.wait(self._to, select.POLLOUT)
            except OSError:
                raise channel.Closed from None

    def receive(self, deadline: Deadline) -> Any:
        """Receives a message. Raises TimeoutError, :class:`channel.Closed`, and ValueError if it is
        invalid.
        """
        try:
            self._source.deadline = deadline
            return channel.receive(self._source, _MAX_MESSAGE)
        except RecursionError:
            raise ValueError("nested too deeply") from None

    def where(self) -> Any:
        """Returns the lines that late code is executing; None if it does not report them."""
        if self._pid and self._launcher.status(self._pid) is None:
            os.kill(self._pid, signal.SIGUSR1)
        deadline = Deadline(self._pid, _REPORT_SECONDS)
        try:
            while True:
                message = self.receive(deadline)
                if isinstance(message, dict) and "late" in message:
                    return message["late"]
        except (TimeoutError, channel.Closed, ValueError):
            return None

    def status(self) -> int | None:
        """Returns the exit status of a process that has ended; None if it has not."""
        end = monotonic() + _REPORT_SECONDS
        while self._pid:
            status = self._launcher.status(self._pid)
            if status is not None or monotonic() > end:
                return status
            sleep(_EXIT_SECONDS)
        return None

    def close(self) -> None:
        if self._pid:
            self._launcher.end(self._pid)
            self._pid = 0
        for descriptor in (self._to, self._from):
            with suppress(OSError):
                os.close(descriptor)
        self._to = self._from = -1


class Deadline:
    """A deadline after ``seconds`` of CPU time of process ``pid``, if the host provides it.

    On a busy host code can be late that has hardly run. It gets more real time then, up to a
    maximum, which also limits code that waits and uses no CPU time.
    """

    def __init__(self, pid: int, seconds: float) -> None:
        self._pid = pid
        self._seconds = seconds
        self._usual_end = monotonic() + seconds
        self._last_end = monotonic() + seconds * _BUSY_HOST_FACTOR
        self._used = _processor_time(pid)

    def wait(self, descriptor: int, event: int) -> None:
        """Waits until the descriptor is ready. Raises TimeoutError."""
        poll = select.poll()
        poll.register(descriptor, event)
        while True:
            left = self._usual_end - monotonic()
            if left <= 0 and self._is_over():
                raise TimeoutError
            if poll.poll(max(left, _POLL_SECONDS) * 1000):
                return

    def _is_over(self) -> bool:
        now = _processor_time(self._pid)
        if now is None or self._used is None or monotonic() >= self._last_end:
            return True
        return now - self._used >= self._seconds


def _processor_time(pid: int) -> float | None:
    """Returns the CPU time of a process in seconds; None if not available."""
    try:
        return clock_gettime(~pid << 3 | _CPU_CLOCK) if pid else None
    except OSError:
        return None


_CPU_CLOCK = 2
"""Kind of the clock that clock_getcpuclockid(3) returns for a process, on Linux."""


class _TimedDescriptor(channel.Descriptor):
    """A descriptor that is read until a deadline."""

    deadline: Deadline

    def _more(self, count: int) -> bytes:
        self.deadline.wait(self._descriptor, select.POLLIN)
        return os.read(self._descriptor, count)
