"""``emu cow``: measures the cost of copy-on-write; with a limit, a check for CI."""

from __future__ import annotations

import argparse
from typing import Any

from emu.cli.support.guest_options import PROGRAM_OR_TRACE, add_guest_options
from emu.cli.support.message_stream import MessageStream
from emu.cli.support.option_values import count
from emu.cli.support.result_output import ResultOutput, add_output_options
from emu.cli.support.trace_input import read_or_record
from emu.errors import CommandError

_EXCEEDED = 3


def add_parser(subcommands: Any) -> None:
    parser = subcommands.add_parser(
        "cow",
        allow_abbrev=False,
        help="run a program and report what copy-on-write cost, and where",
        description="Runs a program, or reads a trace (.jsonl) of one, and reports what "
        "copy-on-write cost: for each fork the pages shared, copied and reused by parent and "
        "child; lines, functions and mappings by copied bytes; bytes copied and bytes really "
        "changed; memory over time; the cost of eager copying. The profile is written to stderr "
        "after the run, or to FILE.",
        epilog="The exit status is the guest's (for a trace 0, or 2 when it was cut off), and 3 "
        "when more than --max-cow-kb was copied. Options may also follow PROG; -- ends them.",
    )
    parser.usage = "emu cow [OPTIONS] PROG [ARGS...] | TRACE.jsonl"
    add_output_options(parser, "the profile")
    parser.add_argument(
        "--max-cow-kb",
        type=_kib,
        metavar="N",
        help="status 3 when more than N KiB were copied because fork shares memory, at stores or "
        "(eager) at fork; private copies of file pages are not counted",
    )
    parser.add_argument(
        "--top", type=count, default=10, metavar="N", help="rows of each table (default 10)"
    )
    parser.add_argument(
        "--heap",
        action="store_true",
        help="report which calls of malloc and related functions allocated the copied heap blocks; "
        "costs about 30 µs for each allocation; a trace has them only if emu trace was given "
        "--heap",
    )
    add_guest_options(parser, program_help=PROGRAM_OR_TRACE)
    parser.set_defaults(function=run, guest=1, trailing=True)


def run(arguments: argparse.Namespace) -> int:
    """Runs the program; returns its status, or 3 when the limit is exceeded."""
    from emu.observe.analysis.cow_collector import CowCollector
    from emu.observe.analysis.cow_text import cow_text, limit_message
    from emu.observe.model.sink import RecordingOptions

    collector = CowCollector()
    messages = MessageStream()
    with ResultOutput(arguments, messages) as output:
        options = RecordingOptions(backtraces=8, heap=arguments.heap)
        status = read_or_record(arguments, messages, collector, options)
        profile = collector.result()
        output.write(profile.json() if arguments.json else cow_text(profile, arguments.top))
    if arguments.max_cow_kb is not None:
        problem = limit_message(profile, arguments.max_cow_kb)
        if problem is not None:
            raise CommandError(problem, _EXCEEDED)
    return status


def _kib(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e12:
        raise argparse.ArgumentTypeError(f"{text!r}: not a number of KiB (expected less than 1e12)")
    return value
