"""``emu trace``: the page faults of a program, as they happen or to files."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

from emu.cli.support.filter_options import add_filter_options, filter_of, locator, tell_hint
from emu.cli.support.guest_options import add_guest_options, count
from emu.cli.support.guest_run import CommandFailed, open_session
from emu.cli.support.instruction_trace import add_instruction_options, trace_instructions
from emu.cli.support.message_stream import Lines
from emu.cli.support.recording import record, record_to_files
from emu.cli.support.trace_files import Files, trace_file
from emu.cli.support.trace_input import keep_input

if TYPE_CHECKING:
    from emu.api import Session
    from emu.observe.model.sink import RecordingOptions, Sink
    from emu.observe.record.filters import Filter


def add_parser(subcommands: Any) -> None:
    parser = subcommands.add_parser(
        "trace",
        allow_abbrev=False,
        help="run a program and tell of each page fault",
        description="Runs a program and tells of each page fault: which instruction on which "
        "source line, what the page table said, what the kernel did, who shares the frame. Lines "
        "go to stderr; with -o the trace goes to files, and the suffix says which kind: .jsonl "
        "(JSON Lines), .perfetto-trace (ui.perfetto.dev), .folded (stacks by copied bytes), .txt.",
        epilog="Options may also follow PROG; -- ends them, before words of the guest like them.",
    )
    parser.usage = "emu trace [OPTIONS] PROG [ARGS...]"
    parser.add_argument(
        "-o", "--output", type=trace_file, action="append", default=[], metavar="FILE"
    )
    parser.add_argument(
        "--walk", action="store_true", help="draw the walk of the page table below each fault"
    )
    parser.add_argument("--calls", action="store_true", help="tell of system calls too")
    parser.add_argument(
        "--backtrace",
        type=_depth,
        default=16,
        metavar="N",
        help="to files: record at most N callers of each fault (default 16; 0 for none)",
    )
    parser.add_argument(
        "--heap",
        action="store_true",
        help="to files: record of copied heap blocks which call of malloc and its kin allocated "
        "them, for emu cow; costs some 30 µs for each allocation",
    )
    add_instruction_options(parser)
    add_filter_options(parser)
    add_guest_options(parser)
    parser.set_defaults(function=run, guest=1, trailing=True)


def run(arguments: argparse.Namespace) -> int:
    """Runs the program; its status, or that of a shell that could not run it."""
    lines = Lines()
    try:
        keep_input(arguments, arguments.output)
        if arguments.insn is not None or arguments.around_faults:
            return trace_instructions(arguments, lines)
        return _trace_faults(arguments, lines)
    except CommandFailed as failure:
        return failure.status


def _trace_faults(arguments: argparse.Namespace, lines: Lines) -> int:
    session = open_session(arguments, lines)
    chosen = filter_of(arguments)
    if not arguments.output:
        return _tell_lines(session, arguments, lines, chosen)
    files = Files(lines)
    try:
        for name in arguments.output:
            files.add(name)
        status = record_to_files(session, files, lines, _wanted(arguments), chosen)
    finally:
        files.close()
    return 2 if files.failed and not session.stopped else status


def _wanted(arguments: argparse.Namespace) -> RecordingOptions:
    from emu.observe.model.sink import RecordingOptions

    return RecordingOptions(arguments.backtrace, calls=arguments.calls, heap=arguments.heap)


def _tell_lines(
    session: Session, arguments: argparse.Namespace, lines: Lines, chosen: Filter | None
) -> int:
    """To stderr, each line at once: the guest's own output comes between them."""
    from emu.observe.formats.text import TraceLines
    from emu.observe.model.sink import RecordingOptions
    from emu.observe.record.filters import FilteredSink
    from emu.observe.walk.from_record import walk_lines

    walk = walk_lines if arguments.walk else None
    tell = TraceLines(lines.plain, colour=_colour(), walk=walk)
    wanted = RecordingOptions(backtraces=0, calls=arguments.calls, samples=False)
    sink: Sink = tell if chosen is None else FilteredSink(tell, chosen)
    status = record(session, sink, lines, wanted, first=locator(chosen))
    lines.write_notes()
    tell_hint(sink, lines)
    return status


def _colour() -> bool:
    return sys.stderr is not None and sys.stderr.isatty() and not os.environ.get("NO_COLOR")


def _depth(text: str) -> int:
    return 0 if text == "0" else count(text)
