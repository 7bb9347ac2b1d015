"""Where a run that is to end can be ended when the kernel's loop is not come to.

A system call on much memory works for seconds, and one on a file of the host may wait for ever. An
exception ends both where they stand. What the kernel was doing is left half done then, so that is
only for a run that ends.
"""

from __future__ import annotations

import signal
from types import FrameType

SIGNAL = signal.SIGURG
"""Interrupts whatever the main thread waits for; elsewhere it does nothing by itself."""
_HART, _ENGINE = "emu.machine.hart", "emu.machine.engine"
_KERNEL = ("kernel.running", "kernel.kernel")


def may_raise(frame: FrameType | None) -> bool:
    """Whether an exception raised in this frame of the main thread comes to the kernel's loop.

    One that leaves a function which C has called is printed and lost. The hart keeps one that is
    raised in what its hooks call, though not in the hooks themselves.
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
