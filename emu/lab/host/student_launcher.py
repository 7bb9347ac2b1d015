"""Starts student processes through the launcher of this process, ``emu.lab.sandbox``."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import emu
from emu.lab.protocol.launch_orders import RUNNING, Order, send_order

_PROJECT = Path(emu.__file__).resolve().parent.parent
_START_SECONDS = 600.0
"""Seconds that a busy host may take to start the launcher, or a process."""


class StudentLauncher:
    """A process that forks one for each student's code; it ends with this process."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(_START_SECONDS)
        words = [sys.executable, "-I", "-S", "-B", str(_PROJECT / "emu" / "lab" / "sandbox")]
        with theirs:
            self._process = subprocess.Popen(
                [*words, str(theirs.fileno()), str(os.getpid()), str(_PROJECT)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={},
                cwd="/",
            )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def start(self, requests: int, replies: int, memory: int) -> int:
        """Returns the id of a new process, 0 if it could not be started."""
        try:
            return send_order(self._socket, Order.START, 0, [requests, replies, memory])
        except OSError:
            self.close()
            return 0

    def status(self, pid: int) -> int | None:
        """The exit status of a process; None while it runs, or if the launcher has ended."""
        return self._ask(Order.STATUS, pid)

    def end(self, pid: int) -> None:
        """Kills a process."""
        self._ask(Order.END, pid)

    def _ask(self, order: Order, pid: int) -> int | None:
        try:
            status = send_order(self._socket, order, pid, [])
        except OSError:
            self.close()
            return None
        return None if status == RUNNING else status

    def close(self) -> None:
        """Ends the launcher, with the processes that it started; the next use starts another."""
        _launchers.pop(os.getpid(), None)
        self._socket.close()
        with suppress(OSError):
            self._process.kill()
        self._process.wait()

    def leave(self) -> None:
        """Closes a fork's copy of the connection."""
        self._socket.close()


_launchers: dict[int, StudentLauncher] = {}
"""The launcher of this process, by its id: a fork needs one of its own."""


def student_launcher() -> StudentLauncher:
    """The launcher of this process, started when it is first needed, and again if it was killed."""
    pid = os.getpid()
    if pid in _launchers and not _launchers[pid].alive:
        _launchers[pid].close()
    if pid not in _launchers:
        for inherited in _launchers.values():
            inherited.leave()
        _launchers.clear()
        _launchers[pid] = StudentLauncher()
    return _launchers[pid]
