"""``emu trace``: the page faults of a program, as they happen or to files."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

from emu.cli.guest_options import add_guest_options, count
from emu.cli.guest_run import NotRun, open_session
from emu.cli.inputs import keep_input
from emu.cli.instructions import add_instruction_options, trace_instructions
from emu.cli.output import Lines
from emu.cli.tracing import (
    Files,
    add_filter_options,
    filter_of,
    locator,
    record,
    tell_hint,
    trace_file,
)

if TYPE_CHECKING:
    from emu.observe.filters import Filter
    from emu.observe.wanted import Sink, Wanted


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
    except NotRun as failure:
        return failure.status


def _trace_faults(arguments: argparse.Namespace, lines: Lines) -> int:
    session = open_session(arguments, lines)
    files = Files(lines)
    try:
        for name in arguments.output:
            files.add(name)
        chosen = filter_of(arguments)
        sink = _sink(arguments, files, lines, chosen)
        first = locator(chosen)
        status = record(session, [sink], lines, _wanted(arguments), first=first)
    finally:
        files.close()
    tell_hint(sink, lines)
    return 2 if files.failed else status


def _wanted(arguments: argparse.Namespace) -> Wanted:
    from emu.observe.wanted import Wanted

    if not arguments.output:
        return Wanted(backtraces=0, calls=arguments.calls, samples=False)
    return Wanted(arguments.backtrace, calls=arguments.calls, heap=arguments.heap)


def _sink(arguments: argparse.Namespace, files: Files, lines: Lines, chosen: Filter | None) -> Sink:
    from emu.observe.filters import Filtered
    from emu.observe.trace_lines import TraceLines
    from emu.observe.walk_lines import walk_lines

    sink: Sink = files
    if not arguments.output:
        walk = walk_lines if arguments.walk else None
        sink = TraceLines(lines.plain, colour=_colour(), walk=walk)
    return sink if chosen is None else Filtered(sink, chosen)


def _colour() -> bool:
    return sys.stderr is not None and sys.stderr.isatty() and not os.environ.get("NO_COLOR")


def _depth(text: str) -> int:
    return 0 if text == "0" else count(text)
