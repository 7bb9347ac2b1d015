"""State of a process as one letter."""

from __future__ import annotations

from kernel.vfs.proc.protocol import ProcProcess

STATE_NAMES = {"R": "running", "S": "sleeping", "T": "stopped", "Z": "zombie"}


def state_of(process: ProcProcess) -> str:
    """Returns R, S, T or Z."""
    if not process.alive:
        return "Z"
    if process.stopped_by:
        return "T"
    return "S" if all(thread.wait for thread in process.threads.values()) else "R"
