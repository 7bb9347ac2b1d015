"""Child processes of emu: none outlives its parent."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading

_PR_SET_PDEATHSIG = 1


def end_with(parent: int, number: int = signal.SIGKILL) -> None:
    """Requests a signal for this process when ``parent`` ends for any reason (prctl(2)).

    A parent that ended before the call sends no signal, so its pid is checked again.
    """
    if sys.platform != "linux":
        return
    arguments = [ctypes.c_ulong(each) for each in (number, 0, 0, 0)]
    ctypes.CDLL(None).prctl(ctypes.c_int(_PR_SET_PDEATHSIG), *arguments)
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


def has_threads() -> bool:
    """True when this process has threads of any kind, whose locks a fork would copy."""
    try:
        return len(os.listdir("/proc/self/task")) > 1
    except OSError:
        return threading.active_count() > 1


def is_stuck(pid: int, before: str) -> tuple[bool, str]:
    """True when a process has been blocked without using any CPU time since the state ``before``.

    The second value is the state for the next call (proc_pid_stat(5)); False where it is unknown.
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return False, ""
    now = " ".join((fields[0], fields[11], fields[12]))
    return fields[0] == "S" and now == before, now
