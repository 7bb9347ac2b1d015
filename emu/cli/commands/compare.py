"""``emu compare``: runs the same program under each fork policy."""

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
from emu.cli.support.guest_run import run_session
from emu.cli.support.message_stream import MessageStream
from emu.cli.support.result_output import ResultOutput, add_output_options, writes_to_stdout
from emu.errors import CommandError
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
        help="run a program under each fork policy and compare output and costs",
        description="Runs a program under each fork policy (cow, eager, shared-tables), checks "
        "that output and exit status are equal, and shows the cost of each policy. The output is "
        "that of the first run; the table is written to stderr, or to FILE. Standard input, unless "
        "it is a terminal, is read once and passed to each run. Use --deterministic for a program "
        "that prints random numbers or depends on scheduling; even then times differ, since the "
        "clock advances with each page fault.",
        epilog="The exit status is the guest's when all runs agree, and 1 when they do not. "
        "Options may also follow PROG; -- ends them.",
    )
    parser.usage = "emu compare [OPTIONS] PROG [ARGS...]"
    add_output_options(parser, "the table")
    add_guest_options(parser, policy=False)
    parser.set_defaults(function=run, guest=1, trailing=True, fork_policy="cow")


def run(arguments: argparse.Namespace) -> int:
    """Runs the program once for each policy; returns its status, or 1 if the runs differ."""
    messages = MessageStream()
    with ResultOutput(arguments, messages) as output:
        runs = _run_policies(arguments, messages)
        output.write(comparison_json(runs) if arguments.json else comparison_text(runs))
    different = differences(runs)
    for line in different:
        messages.message(line)
    return _DIFFERENT if different else runs[0].status


def _run_policies(arguments: argparse.Namespace, messages: MessageStream) -> list[PolicyRun]:
    stdin = _standard_input()
    import_module("numpy.ma")  # a run imports it: else the first run would take longer than others
    runs: list[PolicyRun] = []
    for policy in POLICIES:
        session = _open_session(arguments, policy, stdin, messages)
        policy_run = _run(session, policy, messages)
        if not runs:
            _print(policy_run, sys.stderr if writes_to_stdout(arguments) else sys.stdout)
        if session.ended_by:
            problem = f"ended by the user under {policy}: nothing to compare"
            raise CommandError(problem, 128 + session.ended_by)
        runs.append(policy_run)
    return runs


def _open_session(
    arguments: argparse.Namespace, policy: str, stdin: bytes, messages: MessageStream
) -> Session:
    options = replace(guest_options(arguments), fork_policy=policy)
    command = [arguments.program, *arguments.rest]
    session = Session(options, command, lambda text: messages.message(f"{policy}: {text}"))
    console = session.console
    console.feed(stdin)
    console.capture(1)
    console.capture(2)
    return session


def _run(session: Session, policy: str, messages: MessageStream) -> PolicyRun:
    started = time.perf_counter()
    status = run_session(session, [], messages)
    console = session.console
    deterministic = session.kernel.config.deterministic
    seconds = None if deterministic else round(time.perf_counter() - started, 3)
    return PolicyRun(
        policy, status, console.captured(1), console.captured(2), session.summary, seconds
    )


def _standard_input() -> bytes:
    """The whole input; empty for a terminal, whose input cannot be read before the first prompt."""
    if sys.stdin is None or sys.stdin.isatty():
        return b""
    try:
        return sys.stdin.buffer.read()
    except OSError:
        return b""


def _print(policy_run: PolicyRun, stdout: TextIO | None) -> None:
    if stdout is not None:
        stdout.buffer.write(policy_run.stdout)
        stdout.flush()
    if sys.stderr is not None:
        with suppress(OSError):  # as for messages: stderr may have no reader
            sys.stderr.buffer.write(policy_run.stderr)
            sys.stderr.flush()
