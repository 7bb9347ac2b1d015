"""Records for a command that analyses a run: from a guest that it runs, or from a trace file."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from emu.cli.support.message_stream import MessageStream, as_command_error
from emu.cli.support.recording import record
from emu.cli.support.result_output import open_guest
from emu.cli.support.trace_files import SUFFIXES
from emu.errors import CommandError
from emu.observe.model.regular_file import is_special, open_regular
from kernel.base.elf_headers import ELF_MAGIC

if TYPE_CHECKING:
    from emu.observe.model.records import AnyRecord
    from emu.observe.model.sink import RecordingOptions, Sink

_INSPECTED = 1 << 16
"""Number of bytes by which a trace file is recognised."""
_TRACE = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{[^\n]*"event"\s*:\s*"')
"""Start of any record, with fields in any order; the reader reports invalid ones."""
_PACKED = (b"\x1f\x8b", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"BZh")
"""Magic numbers of gzip, xz, zstd and bzip2."""
_EXPECTED = "expected a .jsonl written by emu trace -o"
INCOMPLETE = 2
"""Exit status of a command that has read a trace without an end record."""


def is_trace(name: str) -> bool:
    """True for a trace, False for a program; CommandError for a file that is neither."""
    beginning = _beginning(name)
    if beginning is not None and _TRACE.match(beginning):
        return True
    if beginning is not None and beginning.startswith(_PACKED):
        raise CommandError(f"{name}: compressed file ({_EXPECTED})")
    if name.endswith(SUFFIXES) and not _may_run(name, beginning):
        raise CommandError(f"{name}: not a trace file ({_EXPECTED})")
    return False


def _beginning(name: str) -> bytes | None:
    """First bytes of a regular file, else None: opening a FIFO or a device may block."""
    try:
        with open_regular(name) as file:
            return file.read(_INSPECTED)
    except (OSError, ValueError):
        return None


def _may_run(name: str, beginning: bytes | None) -> bool:
    """True when the file begins as a program or script does, or cannot be inspected."""
    if beginning is None:
        return not is_special(name)
    return beginning.startswith((ELF_MAGIC, b"#!"))


def read_or_record(
    arguments: argparse.Namespace, messages: MessageStream, sink: Sink, options: RecordingOptions
) -> int:
    """Passes the records of the trace or of the run to ``sink``.

    Returns the exit status: the guest's, or that of :func:`read_into`.
    """
    if is_trace(arguments.program):
        return read_into(arguments, messages, sink)
    return record(open_guest(arguments, messages), sink, messages, options)


def read_into(arguments: argparse.Namespace, messages: MessageStream, sink: Sink) -> int:
    """Passes the records of a trace to ``sink``; returns 0, or ``INCOMPLETE`` if it is cut off."""
    from emu.observe.model import records

    name = arguments.program
    complete = False
    for each in read_records(arguments):
        if isinstance(each, records.Start) and each.filtered:
            raise CommandError(f"{name}: the trace was filtered (expected one with all records)")
        complete = isinstance(each, records.End)
        sink(each)
    if not complete:
        messages.message(f"{name}: the trace was cut off")
    return 0 if complete else INCOMPLETE


def read_records(arguments: argparse.Namespace) -> Iterator[AnyRecord]:
    """The records of the trace file that is given in place of a program."""
    from emu.observe.formats.jsonl import NotATrace, read_trace

    if arguments.rest:
        argument = arguments.rest[0]
        raise CommandError(f"{argument}: unexpected argument after the trace file")
    try:
        with as_command_error(arguments.program), open_regular(arguments.program) as file:
            yield from read_trace(file)
    except NotATrace as error:
        raise CommandError(f"{arguments.program}: {error}") from None
