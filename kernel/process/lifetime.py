"""The state of a process (running, ended, waited for) that its descriptors still refer to."""

from __future__ import annotations

from kernel.base.wait import WaitQueue


class Lifetime:
    """Outlives the process, as Linux's struct pid does: a descriptor of a process (pidfd_open(2))
    holds this, and none of the process's memory. Numbers of processes are not used again.
    """

    __slots__ = ("changed", "ended", "pid", "reaped")

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.ended = False
        """True for a zombie, and later."""
        self.reaped = False
        """True when it has no entry among the processes any more."""
        self.changed = WaitQueue()

    def end(self) -> None:
        self.ended = True
        self.changed.wake()

    def reap(self) -> None:
        self.ended = self.reaped = True
        self.changed.wake()
