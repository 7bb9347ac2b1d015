"""The process that runs a student's code: its start, its end, and how long it is waited for."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import emu
from emu.lab.protocol import channel

_PROJECT = Path(emu.__file__).resolve().parent.parent
_START_SECONDS = 600.0
"""Seconds that the host may take to start our part of the process, before the code's own time."""
_REPORT_SECONDS = 1.0
"""Seconds that code has to say where it is when it has taken too long."""
_BUSY_HOST_FACTOR = 6
"""So many times its limit a call may last when the host has no time for it."""
_MAX_MESSAGE = 16 << 20
"""Bytes of a message from the code: as Python's values it may take twenty times as many here."""
_POLL_SECONDS = 0.25
"""Seconds between two looks at the processor time of code that is late."""


class Limits(NamedTuple):
    """What a student's process may take."""

    seconds: float = 5.0
    """Of processor time, for one call; more of them pass where the host is busy."""
    cpu_seconds: int = 60
    """In all."""
    memory: int = 512 << 20
    """Bytes of address space, beside the machine's memory."""


DEFAULT_LIMITS = Limits()


class StudentProcess:
    """Speaks with ``python -m emu.lab.sandbox``, which sees ``memory``, a descriptor."""

    def __init__(self, memory: int, order: Mapping[str, Any], limits: Limits) -> None:
        self._limits = limits
        requests, self._to = os.pipe()
        self._from, replies = os.pipe()
        words = [sys.executable, "-I", "-S", "-B", str(_PROJECT / "emu" / "lab" / "sandbox")]
        try:
            self._process = subprocess.Popen(
                [*words, str(requests), str(replies), str(_PROJECT)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(requests, replies, memory),
                env={},
                cwd="/",
            )
        finally:
            os.close(requests)
            os.close(replies)
        os.set_blocking(self._to, False)
        limit = {"seconds": limits.cpu_seconds, "grader": os.getpid()}
        with suppress(channel.Closed):  # then there is no answer either
            self.send({"memory": memory, **order, **limit}, self.starting())

    def starting(self) -> Deadline:
        """How long the grader waits until the process is ready to load the code."""
        return Deadline(0, _START_SECONDS)

    def patience(self) -> Deadline:
        """How long the call that begins now is waited for."""
        return Deadline(self._process.pid, self._limits.seconds)

    def send(self, message: Any, patience: Deadline) -> None:
        """Raises TimeoutError, and :class:`channel.Closed`."""
        data = memoryview(channel.frame(message))
        while data:
            patience.wait(self._to, select.POLLOUT)
            try:
                data = data[os.write(self._to, data) :]
            except BlockingIOError:
                continue
            except OSError:
                raise channel.Closed from None

    def receive(self, patience: Deadline) -> Any:
        """A message. Raises TimeoutError, :class:`channel.Closed`, and ValueError for nonsense."""
        try:
            return channel.receive(_DeadlineReader(self._from, patience), _MAX_MESSAGE)
        except RecursionError:
            raise ValueError("nested without end") from None

    def where(self) -> Any:
        """The places that the code is at, which has taken too long; None when it does not say."""
        with suppress(OSError):
            self._process.send_signal(signal.SIGUSR1)
        patience = Deadline(self._process.pid, _REPORT_SECONDS)
        try:
            while True:
                message = self.receive(patience)
                if isinstance(message, dict) and "late" in message:
                    return message["late"]
        except (TimeoutError, channel.Closed, ValueError):
            return None

    def status(self) -> int | None:
        """The exit status of a process that has ended; None when it has not."""
        try:
            return self._process.wait(_REPORT_SECONDS)
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        with suppress(OSError):
            self._process.kill()
        self._process.wait()
        for descriptor in (self._to, self._from):
            with suppress(OSError):
                os.close(descriptor)
        self._to = self._from = -1


class Deadline:
    """``seconds`` of the time of process ``pid``: its processor's, as far as the host tells it.

    On a host with much to do code is late that has hardly run; then it is given more time, but not
    without end, and code that only waits gets no more than that either.
    """

    def __init__(self, pid: int, seconds: float) -> None:
        self._pid = pid
        self._seconds = seconds
        self._usual_end = monotonic() + seconds
        self._last_end = monotonic() + seconds * _BUSY_HOST_FACTOR
        self._used = _processor_time(pid)

    def wait(self, descriptor: int, event: int) -> None:
        """Until the descriptor is ready. Raises TimeoutError."""
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
    """Seconds that a process has run (proc_pid_stat(5)); None where that can't be known."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class _DeadlineReader:
    """A descriptor that is read from while there is patience."""

    def __init__(self, descriptor: int, patience: Deadline) -> None:
        self._descriptor = descriptor
        self._patience = patience

    def read(self, count: int) -> bytes:
        self._patience.wait(self._descriptor, select.POLLIN)
        return os.read(self._descriptor, count)
