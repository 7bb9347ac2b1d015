"""``emu run``: runs a program."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from emu.cli.support.guest_options import add_guest_options
from emu.cli.support.guest_run import open_session, run_session
from emu.cli.support.message_stream import MessageStream
from emu.cli.support.recording import record_to_files
from emu.cli.support.report_sources import add_source_option, host_files
from emu.cli.support.result_output import reject_overwrite
from emu.cli.support.trace_files import TraceFiles, trace_file
from emu.errors import CommandError
from emu.observe.formats.summary import summary_text
from kernel.process.observer import Observer

if TYPE_CHECKING:
    from emu.session import Session


def add_parser(subcommands: Any) -> None:
    parser = subcommands.add_parser(
        "run",
        allow_abbrev=False,
        help="run a RISC-V Linux program",
        description="Runs a 64-bit RISC-V Linux program with your standard streams. The exit "
        "status is the program's (128 + signal when a signal killed it).",
        epilog="Arguments after PROG are the program's.",
    )
    parser.usage = "emu run [OPTIONS] PROG [ARGS...]"
    parser.add_argument(
        "--summary",
        nargs="?",
        const="text",
        choices=("text", "json"),
        metavar="json",
        help="print to stderr at the end: processes, page faults by kind, frames copied and "
        "reused, and the cost of eager copying; --summary=json as one line of JSON",
    )
    parser.add_argument(
        "--trace",
        action="append",
        default=[],
        choices=("faults", "syscalls"),
        help="print a line to stderr for each page fault or each system call; may be given twice",
    )
    parser.add_argument(
        "--trace-file", metavar="FILE", help="write the lines of --trace to FILE instead"
    )
    parser.add_argument(
        "--trace-out",
        type=trace_file,
        action="append",
        default=[],
        metavar="FILE",
        help="record the run in FILE; its suffix selects the format, as for emu trace -o",
    )
    parser.add_argument(
        "--report",
        metavar="FILE",
        help="write a report of the run for a browser, as emu report does",
    )
    add_source_option(parser)
    add_guest_options(parser)
    parser.set_defaults(function=run, guest=1, trailing=False)


def run(arguments: argparse.Namespace) -> int:
    """Runs the program; returns its status."""
    if arguments.trace_file is not None and not arguments.trace:
        raise CommandError("--trace-file: no lines to write (expected --trace=faults or syscalls)")
    reject_overwrite(arguments, [arguments.trace_file, arguments.report, *arguments.trace_out])
    messages = MessageStream(arguments.trace_file)
    try:
        session = open_session(arguments, messages)
        status = _run(arguments, session, messages)
    finally:
        messages.close()
    if arguments.summary == "json":
        host = {"host_memory": session.kernel.ram.host_pages.summary()}
        from json import dumps

        messages.write(dumps(session.summary | host))
    elif arguments.summary:
        messages.write(summary_text(session.summary))
    return status


def _run(arguments: argparse.Namespace, session: Session, messages: MessageStream) -> int:
    """Runs the session; it is recorded only if a file is requested, since that takes time."""
    observers = _observers(arguments, messages)
    if not arguments.trace_out and not arguments.report:
        return run_session(session, observers, messages)
    files = TraceFiles(messages)
    try:
        for name in arguments.trace_out:
            files.add(name)
        if arguments.report:
            files.add_report(arguments.report, host_files(arguments, arguments.program))
        return record_to_files(lambda: session, files, messages, observers=observers)
    finally:
        files.close()


def _observers(arguments: argparse.Namespace, messages: MessageStream) -> list[Observer]:
    observers: list[Observer] = []
    if "faults" in arguments.trace:
        from emu.observe.formats.fault_log import FaultLines

        observers.append(FaultLines(messages.trace))
    if "syscalls" in arguments.trace:
        from emu.observe.formats.strace import CallLines

        observers.append(CallLines(messages.trace))
    return observers
