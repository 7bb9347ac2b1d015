"""Says what a run waits for when its first process has ended and others have not."""

from __future__ import annotations

import time
from collections.abc import Callable

from kernel.kernel import Kernel
from kernel.process.process import one_line

_DELAY = 1.0
"""Seconds after the end of the first process."""
_MOST_NAMED = 3


class OrphanNotice:
    """Passes one line to ``log``, in the kernel's loop, if the run goes on for a second."""

    def __init__(self, kernel: Kernel, log: Callable[[str], None]) -> None:
        self._kernel = kernel
        self._log = log
        self._ended_at: float | None = None
        self._is_done = False

    def tick(self) -> None:
        """Called often, by another thread."""
        first = self._kernel.first_thread
        if self._is_done or first is None or first.process.alive:
            return
        now = time.monotonic()
        if self._ended_at is None:
            self._ended_at = now
        elif now - self._ended_at >= _DELAY:
            self._is_done = True
            self._kernel.call_soon(self._report)

    def _report(self) -> None:
        living = [process for process in self._kernel.processes.values() if process.alive]
        if not living:
            return
        names = [f"{each.pid} ({one_line(each.program.name)})" for each in living[:_MOST_NAMED]]
        more = f" and {len(living) - _MOST_NAMED} more" if len(living) > _MOST_NAMED else ""
        self._log(
            f"the program has ended; waiting for pid {', '.join(names)}{more} "
            "(--exit-with-main ends them)"
        )
