"""``emu why``: the history of one page."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from emu.cli.support.guest_options import PROGRAM_OR_TRACE, add_guest_options
from emu.cli.support.message_stream import MessageStream
from emu.cli.support.option_values import count
from emu.cli.support.recording import record
from emu.cli.support.result_output import ResultOutput, add_output_options, open_guest
from emu.cli.support.trace_input import is_trace, read_into
from emu.errors import CommandError
from emu.machine.pte import PAGE_MASK
from emu.observe.analysis.page_history import PageHistory
from emu.observe.model import records
from emu.observe.model.regular_file import open_regular
from emu.observe.symbols.address_expression import InvalidAddress
from emu.observe.symbols.page_target import Target
from emu.session import Session

if TYPE_CHECKING:
    from emu.observe.model.records import AnyRecord

_LARGEST_FILE = 1 << 31


def add_parser(subcommands: Any) -> None:
    parser = subcommands.add_parser(
        "why",
        allow_abbrev=False,
        help="run a program and report the history of one page",
        description="Runs a program, or reads a trace (.jsonl) of one, and reports the history of "
        "one page: the mapping it belongs to, its first access, the forks that shared it, the "
        "store that ended the sharing, and whether it was copied or reused; with the page-table "
        "entry and the frame's reference count before and after each step. The history is written "
        "to stderr after the run, or to FILE. A trace has entries and counts only for page "
        "faults.",
        epilog="The exit status is the guest's (for a trace 0, or 2 when it was cut off). "
        "Options may also follow PROG; -- ends them.",
    )
    parser.usage = (
        "emu why [OPTIONS] --at ADDRESS|SYMBOL PROG [ARGS...]\n"
        "       emu why [OPTIONS] --at ADDRESS|SYMBOL TRACE.jsonl"
    )
    parser.add_argument(
        "--at",
        type=_target,
        required=True,
        metavar="ADDRESS|SYMBOL",
        help="an address in the page, such as 0x7b000, or a variable or function of PROG: "
        "counter, counter+0x10",
    )
    parser.add_argument(
        "--pid", type=count, metavar="N", help="only this process and what it inherited"
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="all processes, not only the first 50 (--json always has all)",
    )
    add_output_options(parser, "the history")
    add_guest_options(parser, program_help=PROGRAM_OR_TRACE)
    parser.set_defaults(function=run, guest=1, trailing=True)


def run(arguments: argparse.Namespace) -> int:
    """Runs the program or reads the trace; returns the exit status."""
    from emu.observe.analysis.page_history_text import (
        MOST_PROCESSES,
        page_history_json,
        page_history_text,
    )

    messages = MessageStream()
    with ResultOutput(arguments, messages) as output:
        collector = _HistoryCollector(arguments.at)
        status = _collect(arguments, messages, collector)
        page = collector.history, collector.title, arguments.pid
        most = None if arguments.all else MOST_PROCESSES
        output.write(page_history_json(*page) if arguments.json else page_history_text(*page, most))
    return status


class _HistoryCollector:
    """A sink for the history of a page whose address is known once the program is loaded."""

    def __init__(self, target: Target) -> None:
        self.history = PageHistory()
        self.title = ""
        self.pages: set[int] = set()
        self.session: Session | None = None
        self._target = target
        self._buffer: list[AnyRecord] | None = []
        """Records before the program was loaded."""

    def __call__(self, record: AnyRecord) -> None:
        if self._buffer is None:
            self.history(record)
        elif isinstance(record, records.Exec):
            buffer, self._buffer = self._buffer, None
            self._locate(record)
            for each in [*buffer, record]:
                self.history(each)
        else:
            self._buffer.append(record)

    def _locate(self, image: records.Exec) -> None:
        target = self._target
        address = target.locate(image, self._file(image) if target.symbol else b"")
        self.history.page = address & ~PAGE_MASK
        self.pages.add(self.history.page)
        self.title = target.text
        if target.symbol or address & PAGE_MASK:
            size = f", {target.size:,} bytes" if target.size else ""
            self.title += f" is at {address:#x}{size}"

    def _file(self, image: records.Exec) -> bytes:
        """Content of the program's file: in a run the guest's file, for a trace the host's."""
        if self.session is not None:
            from emu.observe.dwarf.search_path import debug_files
            from emu.observe.model.guest_memory import mapped_file_content

            kernel = self.session.kernel
            data = mapped_file_content(kernel.processes[image.pid].space, image.path)
            return debug_files(kernel).linked(data, image.path) or data
        try:
            with open_regular(image.path) as file:
                return file.read(_LARGEST_FILE)
        except (OSError, ValueError) as error:
            problem = error.strerror if isinstance(error, OSError) else error
            raise CommandError(f"{image.path}: cannot read symbols: {problem}") from None


def _collect(
    arguments: argparse.Namespace, messages: MessageStream, collector: _HistoryCollector
) -> int:
    from emu.observe.model.sink import RecordingOptions

    if is_trace(arguments.program):
        return read_into(arguments, messages, collector)
    collector.session = open_guest(arguments, messages)
    options = RecordingOptions(backtraces=8, samples=False, pages=collector.pages)
    return record(collector.session, collector, messages, options)


def _target(text: str) -> Target:
    try:
        return Target(text)
    except InvalidAddress as error:
        raise argparse.ArgumentTypeError(str(error)) from None
