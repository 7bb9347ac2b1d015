"""What a command does about the signals that end it, where no guest is there to get them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ended(KeyboardInterrupt):
    """The user ended the command by a signal; ``status`` is what a shell says of that."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = 128 + number


@contextmanager
def endings() -> Iterator[None]:
    """Within it such a signal raises :class:`Ended`, so what was begun is taken back.

    Before and after it the signal ends the process at once. Where somebody else has a handler, as
    a program has that calls the command's function, or where it is ignored, nothing is changed.
    """
    ours = [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    try:
        for number in ours:
            signal.signal(number, _end)
        yield
    finally:
        # Python drops a signal that comes while its handler is taken away; so it has to wait.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ours)
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(number: int, frame: FrameType | None) -> None:
    if _would_be_told(frame):
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    raise Ended(number)


def _would_be_told(frame: FrameType | None) -> bool:
    """Whether an exception might be printed and lost: in an import, or as an object goes."""
    while frame is not None:
        module = str(frame.f_globals.get("__name__"))
        if module.startswith("importlib.") or frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False
