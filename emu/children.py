"""Processes of ours beside the first one: none outlives it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading

_PR_SET_PDEATHSIG = 1


def end_with(parent: int, number: int = signal.SIGKILL) -> None:
    """Has this process get a signal when its ``parent`` has ended, by whatever (prctl(2)).

    A parent that went before the call sends nothing any more, hence the second look.
    """
    if sys.platform != "linux":
        return
    words = [ctypes.c_ulong(word) for word in (number, 0, 0, 0)]
    ctypes.CDLL(None).prctl(ctypes.c_int(_PR_SET_PDEATHSIG), *words)
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


def has_threads() -> bool:
    """Whether this process has threads, Python's or a library's, whose locks a fork would copy."""
    try:
        return len(os.listdir("/proc/self/task")) > 1
    except OSError:
        return threading.active_count() > 1


def is_stuck(pid: int, before: str) -> tuple[bool, str]:
    """Whether a process has waited, and done nothing else, since it was looked at ``before``.

    The second value is for the next look (proc_pid_stat(5)); False where that can't be known.
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return False, ""
    now = " ".join((fields[0], fields[11], fields[12]))
    return fields[0] == "S" and now == before, now
