"""Runs commands that a signal ends, and finds the processes that remain."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.emu.commands import EMU, SECONDS, environment


def start(*words: str | Path, **others: Any) -> subprocess.Popen[str]:
    usual: dict[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "start_new_session": True,
    }
    command = [*EMU, *map(str, words)]
    return subprocess.Popen(command, env=environment(), text=True, **{**usual, **others})


def shell_status(process: subprocess.Popen[str]) -> int:
    """Exit status as a shell reports it: a process may also be killed by the signal itself."""
    status = process.wait(timeout=SECONDS)
    return 128 - status if status < 0 else status


def wait_for(process: subprocess.Popen[str], condition: Callable[[], object]) -> None:
    """Waits until ``condition()`` is true; fails when the process ends before."""
    while not condition():
        assert process.poll() is None
        signal.sigtimedwait([], 0.01)


def wait_until_alone(process: subprocess.Popen[str]) -> None:
    """Waits until no process of the session remains; blocks if one does."""
    while session_of(process):
        signal.sigtimedwait([], 0.05)


def session_of(process: subprocess.Popen[str]) -> list[int]:
    """Processes of the session that ``process`` leads."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if fields[3] == str(process.pid) and fields[0] != "Z":
                found.append(int(folder.name))
    return found
