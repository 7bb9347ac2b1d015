"""Why a program can't be started: one line for the user, and the status that a shell would give."""

from __future__ import annotations

import errno
import os

from kernel.process import one_line

_NOT_FOUND, _NOT_EXECUTABLE = 127, 126


class CannotRun(Exception):
    """The program can't be started; the message says why, in one line; ``status`` is a shell's."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(one_line(message))
        self.status = status

    @classmethod
    def from_errno(cls, name: str, number: int, reason: str | None = None) -> CannotRun:
        """``name``, as the user gave it, failed with error ``number``; ``reason`` says more."""
        status = _NOT_FOUND if number == errno.ENOENT else _NOT_EXECUTABLE
        return cls(f"{name or repr(name)}: {reason or os.strerror(number)}", status)
