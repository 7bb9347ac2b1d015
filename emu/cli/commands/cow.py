"""``emu cow``: what copy-on-write cost a program, and where; a check for continuous integration."""

from __future__ import annotations

import argparse
from typing import Any

from emu.cli.support.guest_options import add_guest_options
from emu.cli.support.guest_run import CommandFailed, open_lines
from emu.cli.support.trace_input import Report, add_report_options, tell

_EXCEEDED = 3


def add_parser(subcommands: Any) -> None:
    parser = subcommands.add_parser(
        "cow",
        allow_abbrev=False,
        help="run a program and tell what copy-on-write cost, and where",
        description="Runs a program, or reads a trace (.jsonl) of one, and tells what "
        "copy-on-write cost: of each fork the pages shared, copied and taken over by parent and "
        "child; lines, functions and mappings by copied bytes; bytes copied against bytes really "
        "changed; memory over time; what eager copying would have cost. The profile goes to "
        "stderr after the run, or to FILE.",
        epilog="The exit status is the guest's (for a trace 0, or 2 when it was cut off), and 3 "
        "when more than --max-cow-kb was copied. Options may also follow PROG; -- ends them.",
    )
    parser.usage = "emu cow [OPTIONS] PROG [ARGS...] | TRACE.jsonl"
    add_report_options(parser, "the profile")
    parser.add_argument(
        "--max-cow-kb",
        type=_kib,
        metavar="N",
        help="status 3 when more than N KiB were copied because fork shares memory, at stores or "
        "(eager) at once; private copies of a file's pages do not count",
    )
    parser.add_argument(
        "--top", type=_count, default=10, metavar="N", help="rows of each table (default 10)"
    )
    parser.add_argument(
        "--heap",
        action="store_true",
        help="tell of copied heap blocks which call of malloc and its kin allocated them; costs "
        "some 30 µs for each allocation, and a trace has it only if emu trace was given --heap",
    )
    add_guest_options(parser)
    parser.set_defaults(function=run, guest=1, trailing=True)


def run(arguments: argparse.Namespace) -> int:
    """Runs the program; its status, 3 when the limit is exceeded, or a shell's."""
    from emu.observe.analysis.cow_collector import CowCollector
    from emu.observe.analysis.cow_text import cow_text, limit_message
    from emu.observe.model.sink import RecordingOptions

    collector = CowCollector()
    try:
        lines = open_lines(None)
        with Report(arguments, lines) as report:
            status = tell(
                arguments, lines, collector, RecordingOptions(backtraces=8, heap=arguments.heap)
            )
            profile = collector.result()
            report.write(profile.json() if arguments.json else cow_text(profile, arguments.top))
    except CommandFailed as failure:
        return failure.status
    if arguments.max_cow_kb is not None:
        message = limit_message(profile, arguments.max_cow_kb)
        if message is not None:
            lines.message(message)
            return _EXCEEDED
    return status


def _kib(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e12:
        raise argparse.ArgumentTypeError(f"not a number of KiB: {text!r}")
    return value


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 1 << 20:
        raise argparse.ArgumentTypeError(f"not a number from 1 up: {text!r}")
    return int(text)
