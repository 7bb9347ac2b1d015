"""Errors that prevent a program from starting: a one-line message and the shell's exit status."""

from __future__ import annotations

from kernel.base.errno import ENOENT, error_text
from kernel.process.process import one_line

_NOT_FOUND, _NOT_EXECUTABLE = 127, 126


class CannotRun(Exception):
    """A program cannot be started; the message gives the reason; ``status`` is the shell's."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(one_line(message))
        self.status = status

    @classmethod
    def from_errno(cls, name: str, number: int, reason: str | None = None) -> CannotRun:
        """Error ``number`` of ``name`` (as the user gave it); ``reason`` replaces errno's text."""
        status = _NOT_FOUND if number == ENOENT else _NOT_EXECUTABLE
        return cls(f"{name or repr(name)}: {reason or error_text(number)}", status)
