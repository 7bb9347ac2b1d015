"""``emu compare``: the same program under each fork policy."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from typing import Any, TextIO

from emu.api import Session
from emu.cli.support.guest_options import add_guest_options, guest_options
from emu.cli.support.guest_run import CommandFailed, open_lines, run_session
from emu.cli.support.message_stream import Lines
from emu.cli.support.standard_streams import open_streams
from emu.cli.support.trace_input import Report, add_report_options, goes_to_stdout
from emu.errors import CannotRun
from emu.observe.analysis.policy_comparison import (
    PolicyRun,
    comparison_json,
    comparison_text,
    differences,
)
from kernel.mm.fork import POLICIES

_DIFFERENT = 1


def add_parser(subcommands: Any) -> None:
    parser = subcommands.add_parser(
        "compare",
        allow_abbrev=False,
        help="run a program under each fork policy, and compare output and costs",
        description="Runs a program under each fork policy (cow, eager, shared-tables), checks "
        "that what it prints and its exit status are the same, and shows what each policy cost. "
        "The guest's output is that of the first run; the table goes to stderr, or to FILE. "
        "Standard input, unless it is a terminal, is read once and given to each run. A program "
        "that prints random numbers or depends on who runs first is best run with --deterministic; "
        "even then times differ, since the clock moves with each page fault.",
        epilog="The exit status is the guest's when all runs agree, and 1 when they do not. "
        "Options may also follow PROG; -- ends them.",
    )
    parser.usage = "emu compare [OPTIONS] PROG [ARGS...]"
    add_report_options(parser, "the table")
    add_guest_options(parser, policy=False)
    parser.set_defaults(function=run, guest=1, trailing=True, fork_policy="cow")


def run(arguments: argparse.Namespace) -> int:
    """Runs it three times; the guest's status, 1 where the runs differ, or a shell's."""
    open_streams()
    try:
        lines = open_lines(None)
        with Report(arguments, lines) as report:
            runs = _runs(arguments, lines)
            report.write(comparison_json(runs) if arguments.json else comparison_text(runs))
    except CommandFailed as failure:
        return failure.status
    found = differences(runs)
    for line in found:
        lines.message(line)
    return _DIFFERENT if found else runs[0].status


def _runs(arguments: argparse.Namespace, lines: Lines) -> list[PolicyRun]:
    stdin = _standard_input()
    import_module("numpy.ma")  # as a run does: the first one's time is to be like the others'
    runs: list[PolicyRun] = []
    for policy in POLICIES:
        session = _session(arguments, policy, stdin, lines)
        done = _run(session, policy, lines)
        if not runs:
            _print(done, sys.stderr if goes_to_stdout(arguments) else sys.stdout)
        if session.ended_by:
            status = 128 + session.ended_by
            lines.message(f"ended by the user under {policy}: nothing to compare")
            raise CommandFailed(status)
        runs.append(done)
    return runs


def _session(arguments: argparse.Namespace, policy: str, stdin: bytes, lines: Lines) -> Session:
    options = replace(guest_options(arguments), fork_policy=policy)
    command = [arguments.program, *arguments.rest]
    try:
        session = Session(options, command, lambda text: lines.message(f"{policy}: {text}"))
    except CannotRun as error:
        lines.message(str(error))
        raise CommandFailed(error.status) from None
    console = session.console
    console.feed(stdin)
    console.capture(1)
    console.capture(2)
    return session


def _run(session: Session, policy: str, lines: Lines) -> PolicyRun:
    began = time.perf_counter()
    status = run_session(session, [], lines)
    console = session.console
    seconds = None if session.kernel.config.deterministic else round(time.perf_counter() - began, 3)
    return PolicyRun(
        policy, status, console.captured(1), console.captured(2), session.summary, seconds
    )


def _standard_input() -> bytes:
    """Nothing of a terminal: who sits there would have to type it before the program asks."""
    if sys.stdin is None or sys.stdin.isatty():
        return b""
    try:
        return sys.stdin.buffer.read()
    except OSError:
        return b""


def _print(done: PolicyRun, stdout: TextIO | None) -> None:
    if stdout is not None:
        stdout.buffer.write(done.stdout)
        stdout.flush()
    if sys.stderr is not None:
        with suppress(OSError):  # as for our own lines: nobody reads them
            sys.stderr.buffer.write(done.stderr)
            sys.stderr.flush()
