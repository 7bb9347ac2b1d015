"""``emu run``: runs a program."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from emu.cli.commands.report import add_source_option, host_files
from emu.cli.support.guest_options import add_guest_options
from emu.cli.support.guest_run import CommandFailed, open_lines, open_session, run_session
from emu.cli.support.message_stream import Lines
from emu.cli.support.recording import record_to_files
from emu.cli.support.trace_files import Files, trace_file
from emu.cli.support.trace_input import keep_input
from emu.observe.formats.summary import summary_text
from kernel.process.observer import Observer

if TYPE_CHECKING:
    from emu.api import Session


def add_parser(subcommands: Any) -> None:
    parser = subcommands.add_parser(
        "run",
        allow_abbrev=False,
        help="run a RISC-V Linux program",
        description="Runs a 64-bit RISC-V Linux program. Its standard streams are yours, and so is "
        "its exit status (128 + signal when a signal killed it).",
    )
    parser.usage = "emu run [OPTIONS] PROG [ARGS...]"
    parser.add_argument(
        "--summary",
        nargs="?",
        const="text",
        choices=("text", "json"),
        metavar="json",
        help="at the end, to stderr: processes, page faults by kind, frames copied and reused, "
        "and what eager copying would have cost",
    )
    parser.add_argument(
        "--trace",
        action="append",
        default=[],
        choices=("faults", "syscalls"),
        help="a line to stderr for each page fault or each system call; may be given twice",
    )
    parser.add_argument(
        "--trace-file", metavar="FILE", help="write the trace there instead of to stderr"
    )
    parser.add_argument(
        "--trace-out",
        type=trace_file,
        action="append",
        default=[],
        metavar="FILE",
        help="record the run there; the suffix says how, as for emu trace -o",
    )
    parser.add_argument(
        "--report", metavar="FILE", help="write a report of the run for a browser, as emu report"
    )
    add_source_option(parser)
    add_guest_options(parser)
    parser.set_defaults(function=run, guest=1, trailing=False)


def run(arguments: argparse.Namespace) -> int:
    """Runs the program; its status, or that of a shell that could not run it."""
    try:
        keep_input(arguments, [arguments.trace_file, arguments.report, *arguments.trace_out])
        lines = open_lines(arguments.trace_file)
        try:
            session = open_session(arguments, lines)
            status = _run(arguments, session, lines)
        finally:
            lines.close()
    except CommandFailed as failure:
        return failure.status
    if arguments.summary == "json":
        lines.plain(json.dumps(session.summary))
    elif arguments.summary:
        lines.plain(summary_text(session.summary))
    return status


def _run(arguments: argparse.Namespace, session: Session, lines: Lines) -> int:
    """The run's status; it is recorded only where a file is wanted, since that takes time."""
    observers = _observers(arguments, lines)
    if not arguments.trace_out and not arguments.report:
        return run_session(session, observers, lines)
    files = Files(lines)
    try:
        for name in arguments.trace_out:
            files.add(name)
        if arguments.report:
            files.add_report(arguments.report, host_files(arguments, arguments.program))
        return record_to_files(session, files, lines, observers=observers)
    finally:
        files.close()


def _observers(arguments: argparse.Namespace, lines: Lines) -> list[Observer]:
    observers: list[Observer] = []
    if "faults" in arguments.trace:
        from emu.observe.formats.fault_log import FaultLines

        observers.append(FaultLines(lines.trace))
    if "syscalls" in arguments.trace:
        from emu.observe.formats.strace import CallLines

        observers.append(CallLines(lines.trace))
    return observers
