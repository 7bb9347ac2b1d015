"""``emu trace``: prints the page faults of a program as they occur, or writes them to files."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

from emu.cli.support.filter_options import (
    add_filter_options,
    add_instruction_options,
    build_filter,
    range_locators,
    report_filter_hint,
)
from emu.cli.support.guest_options import add_guest_options
from emu.cli.support.message_stream import MessageStream
from emu.cli.support.option_values import count_or_zero
from emu.cli.support.recording import record, record_to_files
from emu.cli.support.result_output import reject_overwrite
from emu.cli.support.trace_files import TraceFiles, trace_file

if TYPE_CHECKING:
    from emu.observe.model.sink import Sink
    from emu.observe.record.filters import Filter
    from emu.session import Session


def add_parser(subcommands: Any) -> None:
    parser = subcommands.add_parser(
        "trace",
        allow_abbrev=False,
        help="run a program and report each page fault",
        description="Runs a program and reports each page fault: the instruction and its source "
        "line, the page-table entry before and after, what the kernel did, and the processes that "
        "share the frame. Lines are written to stderr. With -o the trace is written to files, "
        "whose suffix selects the format: .jsonl (JSON Lines), .perfetto-trace (ui.perfetto.dev), "
        ".folded (stacks by copied bytes) or .txt.",
        epilog="Options may also follow PROG; -- ends them.",
    )
    parser.usage = "emu trace [OPTIONS] PROG [ARGS...]"
    parser.add_argument(
        "-o",
        "--output",
        type=trace_file,
        action="append",
        default=[],
        metavar="FILE",
        help="write the trace to FILE; may be given several times",
    )
    parser.add_argument(
        "--walk", action="store_true", help="draw the page-table walk below each fault"
    )
    parser.add_argument("--calls", action="store_true", help="report system calls too")
    parser.add_argument(
        "--backtrace",
        type=count_or_zero,
        default=16,
        metavar="N",
        help="in files, record at most N callers of each fault (default 16; 0 for none)",
    )
    parser.add_argument(
        "--heap",
        action="store_true",
        help="in files, record which calls of malloc and related functions allocated the copied "
        "heap blocks, for emu cow; costs about 30 µs for each allocation",
    )
    add_instruction_options(parser)
    add_filter_options(parser)
    add_guest_options(parser)
    parser.set_defaults(function=run, guest=1, trailing=True)


def run(arguments: argparse.Namespace) -> int:
    """Runs the program; returns its status, or 2 when a file could not be written."""
    messages = MessageStream()
    reject_overwrite(arguments, arguments.output)
    if arguments.insn is not None or arguments.around_faults:
        from emu.cli.support.instruction_trace import trace_instructions

        return trace_instructions(arguments, messages)
    return _trace_faults(arguments, messages)


def _trace_faults(arguments: argparse.Namespace, messages: MessageStream) -> int:
    from emu.observe.model.sink import RecordingOptions

    fault_filter = build_filter(arguments)
    if not arguments.output:
        return _print_faults(arguments, messages, fault_filter)
    options = RecordingOptions(arguments.backtrace, calls=arguments.calls, heap=arguments.heap)
    files = TraceFiles(messages)
    try:
        for name in arguments.output:
            files.add(name)
        status = record_to_files(
            lambda: _open_session(arguments, messages), files, messages, options, fault_filter
        )
    finally:
        files.close()
    return 2 if files.failed else status


def _open_session(arguments: argparse.Namespace, messages: MessageStream) -> Session:
    """The session, whose modules are not imported before the process that writes the trace is
    created.
    """
    from emu.cli.support.guest_run import open_session

    return open_session(arguments, messages)


def _print_faults(
    arguments: argparse.Namespace,
    messages: MessageStream,
    fault_filter: Filter | None,
) -> int:
    """Prints each fault at once, so that the lines are in order with the guest's output."""
    from emu.observe.formats.text import TraceLines
    from emu.observe.model.sink import RecordingOptions
    from emu.observe.record.filters import FilteredSink
    from emu.observe.walk.from_record import walk_lines

    session = _open_session(arguments, messages)
    walk = walk_lines if arguments.walk else None
    lines = TraceLines(messages.write, colour=_colour(), walk=walk)
    options = RecordingOptions(backtraces=0, calls=arguments.calls, samples=False)
    sink: Sink = lines if fault_filter is None else FilteredSink(lines, fault_filter)
    status = record(session, sink, messages, options, first=range_locators(fault_filter))
    messages.write_notes()
    report_filter_hint(sink, messages)
    return status


def _colour() -> bool:
    return sys.stderr is not None and sys.stderr.isatty() and not os.environ.get("NO_COLOR")
