"""Records for a command that tells of a run afterwards: of a guest that it runs, or from a file."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from emu.cli.support.guest_run import CommandFailed, open_session
from emu.cli.support.message_stream import Lines, Output
from emu.cli.support.recording import record
from emu.cli.support.trace_files import SUFFIXES
from emu.observe.model.regular_file import is_special, open_regular

if TYPE_CHECKING:
    from emu.api import Session
    from emu.observe.model.records import AnyRecord
    from emu.observe.model.sink import RecordingOptions, Sink

_STDOUT = "-"
_LOOKED_AT = 1 << 16
_TRACE = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{[^\n]*"event"\s*:\s*"')
"""Start of any record, with fields in any order; the reader reports what is wrong in it."""
_PACKED = (b"\x1f\x8b", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"BZh")
"""Magic numbers of gzip, xz, zstd and bzip2."""
_EXPECTED = "a .jsonl of emu trace -o"


def add_report_options(parser: argparse.ArgumentParser, what: str) -> None:
    """-o and --json."""
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help=f"write {what} there instead of to stderr; - is standard output, and what the "
        "program writes to its own goes to standard error then",
    )
    parser.add_argument(
        "--json", action="store_true", help=f"{what} as a line of JSON, as with -o - unless given"
    )


def goes_to_stdout(arguments: argparse.Namespace) -> bool:
    """Whether the account takes standard output, and the guest's goes to stderr."""
    wanted: str = arguments.output or (_STDOUT if arguments.json else "")
    return wanted == _STDOUT


def open_guest(arguments: argparse.Namespace, lines: Lines) -> Session:
    """A session whose stdout does not mix with the account. Raises :class:`CommandFailed`."""
    session = open_session(arguments, lines)
    if goes_to_stdout(arguments):
        session.console.use_host(1, 2)
    return session


class Report:
    """Where a command's account of the run goes: to stderr; to stdout, which the guest has not
    then; or to the file of ``--output``, which is opened before the guest runs. Raises
    :class:`CommandFailed` when it can't be. A context manager: an earlier file is kept when there
    is no account.
    """

    def __init__(self, arguments: argparse.Namespace, lines: Lines) -> None:
        self._lines = lines
        self._to_stdout = goes_to_stdout(arguments)
        self._path = path = None if self._to_stdout else arguments.output
        keep_input(arguments, [path])
        try:
            self._output = None if path is None else Output(path)
        except OSError as error:
            lines.message(f"{path}: {error.strerror}")
            raise CommandFailed(2) from None

    def __enter__(self) -> Report:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._output is not None:
            self._output.abandon()
        self._lines.write_notes()

    def write(self, text: str) -> None:
        """The whole of it. Raises :class:`CommandFailed` when the file can't be written."""
        if self._to_stdout:
            if sys.stdout is not None:
                sys.stdout.buffer.write(f"{text}\n".encode())
            return
        if self._output is None:
            self._lines.plain(text)
            return
        output, self._output = self._output, None
        try:
            with open(output.begin(), "w", encoding="utf-8") as file:
                file.write(text + "\n")
        except OSError as error:
            self._lines.message(f"{self._path}: {error.strerror}")
            raise CommandFailed(2) from None


def takes_trace(name: str, lines: Lines) -> bool:
    """Whether it is a trace, and no program. Raises :class:`CommandFailed` for what is neither."""
    beginning = _beginning(name)
    if beginning is not None and _TRACE.match(beginning):
        return True
    packed = beginning is not None and beginning.startswith(_PACKED)
    if packed or (name.endswith(SUFFIXES) and not _may_run(name, beginning)):
        what = "it is compressed" if packed else "it is no trace"
        lines.message(f"{name}: {what} ({_EXPECTED})")
        raise CommandFailed(2)
    return False


def _beginning(name: str) -> bytes | None:
    """First bytes of a regular file, else None: opening a FIFO or a device may block."""
    try:
        with open_regular(name) as file:
            return file.read(_LOOKED_AT)
    except (OSError, ValueError):
        return None


def _may_run(name: str, beginning: bytes | None) -> bool:
    """True when the file begins as a program or script does, or cannot be inspected."""
    if beginning is None:
        return not is_special(name)
    return beginning.startswith((b"\x7fELF", b"#!"))


def tell(arguments: argparse.Namespace, lines: Lines, sink: Sink, wanted: RecordingOptions) -> int:
    """Tells ``sink`` the records; the exit status: the guest's, or that of ``tell_trace``."""
    if takes_trace(arguments.program, lines):
        return tell_trace(arguments, lines, sink)
    return record(open_guest(arguments, lines), sink, lines, wanted)


def tell_trace(arguments: argparse.Namespace, lines: Lines, sink: Sink) -> int:
    """Tells ``sink`` the records of a trace; 0, or 2 when it was cut off. Raises NotRun."""
    from emu.observe.model import records

    name = arguments.program
    complete = False
    for each in read_records(arguments, lines):
        if isinstance(each, records.Start) and each.filtered:
            lines.message(f"{name}: the trace was filtered; this needs one that has all records")
            raise CommandFailed(2)
        complete = isinstance(each, records.End)
        sink(each)
    if not complete:
        lines.message(f"{name}: the trace was cut off")
    return 0 if complete else 2


def read_records(arguments: argparse.Namespace, lines: Lines) -> Iterator[AnyRecord]:
    """The records of the trace file given in place of a program. Raises :class:`CommandFailed`."""
    from emu.observe.formats.jsonl import NotATrace, read_trace

    name = arguments.program
    if arguments.rest:
        lines.message(f"no words may follow a trace file: {arguments.rest[0]!r}")
        raise CommandFailed(2)
    try:
        with open_regular(name) as file:
            yield from read_trace(file)
    except NotATrace as error:
        lines.message(f"{name}: {error}")
        raise CommandFailed(2) from None
    except OSError as error:
        lines.message(f"{name}: {error.strerror}")
        raise CommandFailed(2) from None


def keep_input(arguments: argparse.Namespace, outputs: Iterable[str | None]) -> None:
    """Raises :class:`CommandFailed` when an output is the file that is run or read."""
    for name in outputs:
        if name is not None and any(_same(name, given) for given in _inputs(arguments)):
            Lines().message(f"{name}: would overwrite its input")
            raise CommandFailed(2)


def _inputs(arguments: argparse.Namespace) -> list[str]:
    """The program, or the trace in its place, wherever it may be found."""
    import shutil

    program: str = arguments.program
    found = [program]
    if arguments.root:
        found.append(os.path.join(arguments.root, program.lstrip("/")))
    for host, guest in (*arguments.ro, *arguments.rw):
        inside = os.path.relpath(program, guest) if program.startswith("/") else ".."
        if not inside.startswith(".."):
            found.append(os.path.normpath(os.path.join(host, inside)))
    if "/" not in program:
        found.append(shutil.which(program) or program)
    return found


def _same(one: str, other: str) -> bool:
    try:
        return os.path.isfile(one) and os.path.samefile(one, other)
    except (OSError, ValueError):
        return False
