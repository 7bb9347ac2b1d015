"""Interrupts a run that must end while the kernel's loop is not reached.

A system call on much memory may take seconds, and one on a host file may block indefinitely. An
exception ends both where they are. It leaves the kernel's work incomplete, so it is raised only in
a run that ends.
"""

from __future__ import annotations

import signal
from types import FrameType

SIGNAL = signal.SIGURG
"""Interrupts blocking calls of the main thread; otherwise it has no effect."""
_HART, _ENGINE = "emu.machine.hart", "emu.machine.engine"
_KERNEL = ("kernel.trap.run_loop", "kernel.kernel")


def may_raise(frame: FrameType | None) -> bool:
    """True when an exception raised in this frame of the main thread reaches the kernel's loop.

    An exception that leaves a function called from C is printed and lost. The hart preserves one
    that is raised in code called by its hooks, but not in the hooks themselves.
    """
    top = frame
    while frame is not None:
        module = frame.f_globals.get("__name__")
        if module == _ENGINE or frame.f_code.co_name == "__del__":
            return False
        if module == _HART:
            return frame is not top
        if module in _KERNEL:
            return True
        frame = frame.f_back
    return False
