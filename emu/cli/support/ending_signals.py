"""Handling of the signals that end a command while no guest receives them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class EndedBySignal(KeyboardInterrupt):
    """The user ended the command with a signal; ``status`` is the shell's exit status for it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = 128 + number


@contextmanager
def raise_on_ending_signals() -> Iterator[None]:
    """Context in which such a signal raises :class:`EndedBySignal`, so that work is cleaned up.

    Before and after it, the signal ends the process at once. Handlers of a program that calls the
    command's function, and ignored signals, are left unchanged.
    """
    ours = [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    try:
        for number in ours:
            signal.signal(number, _end)
        yield
    finally:
        # Python drops a signal that arrives while its handler is being removed, so block it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ours)
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(number: int, frame: FrameType | None) -> None:
    if _would_be_lost(frame):
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    raise EndedBySignal(number)


def _would_be_lost(frame: FrameType | None) -> bool:
    """True when an exception might be printed and lost: during an import or in ``__del__``."""
    while frame is not None:
        module = str(frame.f_globals.get("__name__"))
        if module.startswith("importlib.") or frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False
