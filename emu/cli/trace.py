"""``emu trace``: the page faults of a program, as they happen or to files."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

from emu.cli.guest_options import add_guest_options
from emu.cli.guest_run import NotRun, open_lines, open_session
from emu.cli.output import Lines
from emu.cli.tracing import Files, add_filter_options, filter_of, record, trace_file

if TYPE_CHECKING:
    from emu.observe.recorder import Sink


def add_parser(subcommands: Any) -> None:
    parser = subcommands.add_parser(
        "trace",
        allow_abbrev=False,
        help="run a program and tell of each page fault",
        description="Runs a program and tells of each page fault: which instruction on which "
        "source line, what the page table said, what the kernel did, who shares the frame. Lines "
        "go to stderr; with -o the trace goes to files, and the suffix says which kind: .jsonl "
        "(JSON Lines), .perfetto-trace (ui.perfetto.dev), .folded (stacks by copied bytes).",
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
        help="record at most N callers of each fault (default 16; 0 for none)",
    )
    add_filter_options(parser)
    add_guest_options(parser)
    parser.set_defaults(function=run, guest=1, trailing=True)


def run(arguments: argparse.Namespace) -> int:
    """Runs the program; its status, or that of a shell that could not run it."""
    try:
        lines = open_lines(None)
        session = open_session(arguments, lines)
        files = Files(lines)
        try:
            for name in arguments.output:
                files.add(name)
            return record(session, _sinks(arguments, files, lines), lines, _wanted(arguments))
        finally:
            files.close()
    except NotRun as failure:
        return failure.status


def _wanted(arguments: argparse.Namespace) -> Any:
    from emu.observe.recorder import Wanted

    backtraces = arguments.backtrace if arguments.output else 0
    return Wanted(backtraces=backtraces, calls=arguments.calls, samples=bool(arguments.output))


def _sinks(arguments: argparse.Namespace, files: Files, lines: Lines) -> list[Sink]:
    from emu.observe.filters import Filtered
    from emu.observe.trace_lines import TraceLines

    sink: Sink = files
    if not arguments.output:
        sink = TraceLines(lines.plain, colour=_colour(), walk=None)
    chosen = filter_of(arguments)
    return [sink if chosen is None else Filtered(sink, chosen)]


def _colour() -> bool:
    return sys.stderr is not None and sys.stderr.isatty() and not os.environ.get("NO_COLOR")


def _depth(text: str) -> int:
    if not text.isdigit() or int(text) > 1000:
        raise argparse.ArgumentTypeError(f"not a number from 0 to 1000: {text!r}")
    return int(text)
