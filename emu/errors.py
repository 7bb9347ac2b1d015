"""Errors that end a command, each a one-line message with an exit status."""

from __future__ import annotations

from collections.abc import Sequence

from kernel.base.errno import ENOENT, error_text

DEFECT_STATUS = 70
"""EX_SOFTWARE of sysexits.h: emu itself failed."""
NO_CURRENT_DIRECTORY = "current directory: No such file or directory (it was removed)"
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126


class CommandError(Exception):
    """Ends the ``emu`` command: one line ``subject: problem (expected ...)`` and a status.

    ``details`` are further lines, which are printed indented below the message.
    """

    status = 2
    """Exit status of the command; 2 for wrong usage and unusable files."""

    def __init__(
        self, message: str, status: int | None = None, details: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.details = details
        if status is not None:
            self.status = status


class CannotRun(CommandError):
    """A program cannot be started."""

    def __init__(self, message: str, status: int) -> None:
        from kernel.process.process import one_line  # takes 50 ms; raised where it is loaded

        super().__init__(one_line(message), status)

    @classmethod
    def of_program(cls, name: str, number: int, reason: str | None = None) -> CannotRun:
        """Error ``number`` of ``name``, as the user gave it, with a shell's status; ``reason``
        replaces errno's text.
        """
        status = _NOT_FOUND if number == ENOENT else _NOT_EXECUTABLE
        return cls(f"{name or repr(name)}: {reason or error_text(number)}", status)

    @classmethod
    def of_directory(cls, name: str, number: int, reason: str | None = None) -> CannotRun:
        """Error ``number`` of a directory that the user grants or that the program starts in."""
        return cls(f"{name}: {reason or error_text(number)}", 2)
