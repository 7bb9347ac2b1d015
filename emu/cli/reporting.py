"""Records for a command that tells of a run afterwards: of a guest that it runs, or from a file."""

from __future__ import annotations

import argparse
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from emu.cli.guest_run import NotRun, open_session
from emu.cli.output import Lines
from emu.cli.tracing import record

if TYPE_CHECKING:
    from emu.observe.recorder import Sink, Wanted
    from emu.observe.records import AnyRecord

_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
_BEGINNING = b'{"event":"start"'


def add_report_options(parser: argparse.ArgumentParser, what: str) -> None:
    """-o and --json."""
    parser.add_argument(
        "-o", "--output", metavar="FILE", help=f"write {what} there instead of to stderr"
    )
    parser.add_argument("--json", action="store_true", help=f"{what} as a line of JSON")


class Report:
    """Where a command's account of the run goes: to stderr, never to the guest's stdout, or to a
    file, which is opened before the guest runs. Raises :class:`NotRun` when it can't be.
    """

    def __init__(self, path: str | None, lines: Lines) -> None:
        self._lines = lines
        self._path = path
        try:
            self._fd = None if path is None else _open(path)
        except OSError as error:
            lines.message(f"{path}: {error.strerror}")
            raise NotRun(2) from None

    def write(self, text: str) -> None:
        """The whole of it. Raises :class:`NotRun` when the file can't be written."""
        if self._fd is None:
            self._lines.plain(text)
            return
        try:
            with open(self._fd, "w", encoding="utf-8") as file:
                file.write(text + "\n")
        except OSError as error:
            self._lines.message(f"{self._path}: {error.strerror}")
            raise NotRun(2) from None


def _open(path: str) -> int:
    """A descriptor that can't pass for one of the user's, who may have closed some."""
    fd = os.open(path, _WRITE, 0o666)
    if fd > 2:
        return fd
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
    finally:
        os.close(fd)


def is_trace(name: str) -> bool:
    """Whether it is a file that begins with a trace's first record.

    To open a FIFO would wait for its writer, and to open a device may do anything.
    """
    try:
        if not os.path.isfile(name):
            return False
        with Path(name).open("rb") as file:
            return file.read(len(_BEGINNING)) == _BEGINNING
    except (OSError, ValueError):
        return False


def tell(arguments: argparse.Namespace, lines: Lines, sink: Sink, wanted: Wanted) -> int:
    """Tells ``sink`` the records; the exit status: the guest's, 0 after a file."""
    if not is_trace(arguments.program):
        return record(open_session(arguments, lines), [sink], lines, wanted)
    for each in read_records(arguments, lines):
        sink(each)
    return 0


def read_records(arguments: argparse.Namespace, lines: Lines) -> Iterator[AnyRecord]:
    """The records of the trace file that takes the program's place. Raises :class:`NotRun`."""
    from emu.observe.jsonl import NotATrace, read_trace

    name = arguments.program
    if arguments.rest:
        lines.message(f"no words may follow a trace file: {arguments.rest[0]!r}")
        raise NotRun(2)
    try:
        with Path(name).open("rb") as file:
            yield from read_trace(file)
    except NotATrace as error:
        lines.message(f"{name}: {error}")
        raise NotRun(2) from None
    except OSError as error:
        lines.message(f"{name}: {error.strerror}")
        raise NotRun(2) from None
