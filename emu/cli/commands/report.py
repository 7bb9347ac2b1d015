"""``emu report``: a run as one HTML file, from a program or from a trace of it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emu.cli.support.guest_options import add_guest_options
from emu.cli.support.guest_run import CommandFailed, open_lines, open_session
from emu.cli.support.message_stream import Lines
from emu.cli.support.recording import record_to_files
from emu.cli.support.trace_files import Files
from emu.cli.support.trace_input import keep_input, read_records, takes_trace

if TYPE_CHECKING:
    from emu.observe.report.host_files import HostFiles
    from emu.observe.report.report_sink import Report


def add_parser(subcommands: Any) -> None:
    parser = subcommands.add_parser(
        "report",
        allow_abbrev=False,
        help="run a program, or read a trace, and write a report for a browser",
        description="Runs a program, or reads a trace that `emu trace -o x.jsonl` wrote, and "
        "writes one HTML file that needs no network: processes and their memory, every fault, the "
        "map of each address space at any moment, what forks cost. The exit status is the "
        "guest's; for a trace 0, or 2 when it is wrong or cut off.",
        epilog="Options may also follow PROG; -- ends them, before words of the guest like them.",
    )
    parser.usage = "emu report [OPTIONS] -o OUT.html PROG [ARGS...] | TRACE.jsonl"
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the report")
    add_source_option(parser)
    add_guest_options(parser)
    parser.set_defaults(function=run, guest=1, trailing=True)


def add_source_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--source",
        action="append",
        default=[],
        metavar="DIR",
        help="a report shows source text and code of files below DIR too; else only of those "
        "below the program's folder (not for a trace), the current one and --root",
    )


def host_files(arguments: argparse.Namespace, program: str | None) -> HostFiles:
    """The host files from which the report of a run may take source text and code.

    ``program`` is the user's argument. A trace's own program name is not trusted.
    """
    from emu.observe.report.host_files import HostFiles
    from toolchain.find import sysroot

    folders = [*arguments.source, *([str(Path(program).parent)] if program else []), "."]
    libraries = sysroot()  # where the guest finds them that has no root
    return HostFiles(folders, arguments.root or (str(libraries) if libraries else None))


def run(arguments: argparse.Namespace) -> int:
    """Runs the program; its status, or that of a shell that could not run it."""
    lines = open_lines(None)
    try:
        keep_input(arguments, [arguments.output])
        if arguments.program.endswith(".jsonl") or takes_trace(arguments.program, lines):
            return _from_trace(arguments, lines)
        return _from_program(arguments, lines)
    except CommandFailed as failure:
        return failure.status


def _from_program(arguments: argparse.Namespace, lines: Lines) -> int:
    session = open_session(arguments, lines)
    files = Files(lines)
    try:
        files.add_report(arguments.output, host_files(arguments, arguments.program))
        status = record_to_files(session, files, lines)
    finally:
        files.close()
    return 2 if files.failed else status


def _from_trace(arguments: argparse.Namespace, lines: Lines) -> int:
    name = arguments.program
    report = _read(arguments, lines)
    try:
        with open(arguments.output, "wb") as output:
            report.write(output)
    except OSError as error:
        lines.message(f"{arguments.output}: {error.strerror}; there is no report")
        return 2
    if report.complete:
        return 0
    lines.message(f"{name}: the trace was cut off; the report shows what it has")
    return 2


def _read(arguments: argparse.Namespace, lines: Lines) -> Report:
    """The report of a trace. Raises :class:`CommandFailed` for what is none."""
    from emu.observe.model import records
    from emu.observe.report.report_sink import Report

    report = None
    for each in read_records(arguments, lines):
        if report is None:
            assert isinstance(each, records.Start)
            if each.filtered:
                lines.message(
                    f"{arguments.program}: the trace was filtered; the report lacks the rest"
                )
            report = Report(host_files(arguments, None))
        report(each)
    if report is None:
        lines.message(f"{arguments.program}: the file is empty")
        raise CommandFailed(2)
    return report
