"""``emu report``: writes a run as one HTML file, from a program or from a trace of it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from emu.cli.support.guest_options import PROGRAM_OR_TRACE, add_guest_options
from emu.cli.support.guest_run import open_session
from emu.cli.support.message_stream import MessageStream, as_command_error
from emu.cli.support.recording import record_to_files
from emu.cli.support.report_sources import add_source_option, host_files
from emu.cli.support.result_output import reject_overwrite
from emu.cli.support.trace_files import TraceFiles
from emu.cli.support.trace_input import INCOMPLETE, is_trace, read_records
from emu.errors import CommandError

if TYPE_CHECKING:
    from emu.observe.report.report_sink import Report


def add_parser(subcommands: Any) -> None:
    parser = subcommands.add_parser(
        "report",
        allow_abbrev=False,
        help="run a program, or read a trace, and write a report for a browser",
        description="Runs a program, or reads a trace that `emu trace -o x.jsonl` wrote, and "
        "writes one HTML file that needs no network: processes and their memory, every fault, the "
        "map of each address space at any time, the cost of forks. The exit status is the "
        "guest's; for a trace 0, or 2 when it is invalid or was cut off.",
        epilog="Options may also follow PROG; -- ends them.",
    )
    parser.usage = (
        "emu report [OPTIONS] -o FILE.html PROG [ARGS...]\n"
        "       emu report [OPTIONS] -o FILE.html TRACE.jsonl"
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="write the report to FILE"
    )
    add_source_option(parser)
    add_guest_options(parser, program_help=PROGRAM_OR_TRACE)
    parser.set_defaults(function=run, guest=1, trailing=True)


def run(arguments: argparse.Namespace) -> int:
    """Runs the program or reads the trace; returns the exit status."""
    messages = MessageStream()
    reject_overwrite(arguments, [arguments.output])
    if arguments.program.endswith(".jsonl") or is_trace(arguments.program):
        return _report_trace(arguments, messages)
    return _report_run(arguments, messages)


def _report_run(arguments: argparse.Namespace, messages: MessageStream) -> int:
    files = TraceFiles(messages)
    try:
        files.add_report(arguments.output, host_files(arguments, arguments.program))
        status = record_to_files(lambda: open_session(arguments, messages), files, messages)
    finally:
        files.close()
    return 2 if files.failed else status


def _report_trace(arguments: argparse.Namespace, messages: MessageStream) -> int:
    report = _read(arguments, messages)
    with (
        as_command_error(arguments.output, "; no report was written"),
        open(arguments.output, "wb") as output,
    ):
        report.write(output)
    if report.complete:
        return 0
    messages.message(f"{arguments.program}: the trace was cut off; the report shows what it has")
    return INCOMPLETE


def _read(arguments: argparse.Namespace, messages: MessageStream) -> Report:
    """The report of a trace. Raises :class:`CommandError` for a file without records."""
    from emu.observe.model import records
    from emu.observe.report.report_sink import Report

    report = None
    for each in read_records(arguments):
        if report is None:
            assert isinstance(each, records.Start)
            if each.filtered:
                messages.message(
                    f"{arguments.program}: the trace was filtered; the report has only its records"
                )
            report = Report(host_files(arguments, None))
        report(each)
    if report is None:
        raise CommandError(f"{arguments.program}: the file is empty")
    return report
