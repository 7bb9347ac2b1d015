"""Output of a command's result (profile, history, table): stderr, stdout or a file."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from emu.cli.support.message_stream import MessageStream, OutputFile, as_command_error
from emu.errors import CommandError

if TYPE_CHECKING:
    from emu.session import Session

_STDOUT = "-"


def add_output_options(parser: argparse.ArgumentParser, result: str) -> None:
    """Adds -o and --json; ``result`` names what is written, as in "the profile"."""
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help=f"write {result} to FILE instead of to stderr; with - to standard output, while the "
        "program's standard output goes to standard error",
    )
    parser.add_argument(
        "--json", action="store_true", help=f"{result} as one line of JSON; without -o to stdout"
    )


def writes_to_stdout(arguments: argparse.Namespace) -> bool:
    """True when the result is written to stdout; the guest's output then goes to stderr."""
    output: str = arguments.output or (_STDOUT if arguments.json else "")
    return output == _STDOUT


def open_guest(arguments: argparse.Namespace, messages: MessageStream) -> Session:
    """A session whose stdout does not mix with the result."""
    from emu.cli.support.guest_run import open_session  # emu trace, which imports this, forks first

    session = open_session(arguments, messages)
    if writes_to_stdout(arguments):
        session.console.use_host(1, 2)
    return session


class ResultOutput:
    """The stream or file of the result; a file is opened before the guest runs.

    A context manager that keeps an existing file when no result is written. Raises OSError or
    CommandError when the file cannot be opened or written.
    """

    def __init__(self, arguments: argparse.Namespace, messages: MessageStream) -> None:
        self._messages = messages
        self._to_stdout = writes_to_stdout(arguments)
        self._path = path = None if self._to_stdout else arguments.output
        reject_overwrite(arguments, [path])
        self._file = None if path is None else OutputFile(path)

    def __enter__(self) -> ResultOutput:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._file is not None:
            self._file.abandon()
        self._messages.write_notes()

    def write(self, text: str) -> None:
        """Writes the whole result."""
        if self._to_stdout:
            if sys.stdout is not None:
                sys.stdout.buffer.write(f"{text}\n".encode())
            return
        if self._file is None or self._path is None:
            self._messages.write(text)
            return
        output, self._file = self._file, None
        with (
            as_command_error(self._path),
            open(output.begin(), "w", encoding="utf-8") as file,
        ):
            file.write(text + "\n")


def reject_overwrite(arguments: argparse.Namespace, outputs: Iterable[str | None]) -> None:
    """Raises :class:`CommandError` when an output is the program that is run or the trace read."""
    for name in outputs:
        if name is not None and any(_same(name, given) for given in _inputs(arguments)):
            raise CommandError(f"{name}: output would overwrite the input")


def _inputs(arguments: argparse.Namespace) -> list[str]:
    """Host paths where the program, or the trace given in its place, may be found."""
    import shutil

    program: str = arguments.program
    paths = [program]
    if arguments.root:
        paths.append(os.path.join(arguments.root, program.lstrip("/")))
    for host, guest in (*arguments.ro, *arguments.rw):
        below = os.path.relpath(program, guest) if program.startswith("/") else ".."
        if not below.startswith(".."):
            paths.append(os.path.normpath(os.path.join(host, below)))
    if "/" not in program:
        paths.append(shutil.which(program) or program)
    return paths


def _same(one: str, other: str) -> bool:
    try:
        return os.path.isfile(one) and os.path.samefile(one, other)
    except (OSError, ValueError):
        return False
