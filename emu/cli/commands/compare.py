"""``emu compare``: runs the same program under each fork policy, or with each page size."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from typing import Any, TextIO

from emu.cli.support.guest_options import add_guest_options, guest_options
from emu.cli.support.guest_run import run_session
from emu.cli.support.message_stream import MessageStream
from emu.cli.support.result_output import ResultOutput, add_output_options, writes_to_stdout
from emu.errors import CommandError
from emu.observe.analysis.policy_comparison import (
    OF_PAGE_SIZES,
    OF_POLICIES,
    PolicyRun,
    comparison_json,
    comparison_text,
    differences,
)
from emu.session import Session
from kernel.mm.forking.fork import POLICIES
from kernel.mm.mappings.huge_policy import Thp, ThpCow

_DIFFERENT = 1
_POLICIES: dict[str, dict[str, Any]] = {policy: {"fork_policy": policy} for policy in POLICIES}
_PAGE_SIZES: dict[str, dict[str, Any]] = {
    "4 KiB pages": {"thp": Thp.NEVER},
    "huge pages": {"thp": Thp.ALWAYS, "thp_cow": ThpCow.PAGE},
    "huge copies": {"thp": Thp.ALWAYS, "thp_cow": ThpCow.HUGE},
}


def add_parser(subcommands: Any) -> None:
    parser = subcommands.add_parser(
        "compare",
        allow_abbrev=False,
        help="run a program under each fork policy, or page size, and compare output and costs",
        description="Runs a program under each fork policy (cow, eager, shared-tables), or "
        "with each page size, checks that output and exit status are equal, and shows the "
        "costs. The output is that of the first run; the table is written to stderr, or to "
        "FILE. Standard input, unless it is a terminal, is read once and passed to each run. "
        "Use --deterministic for a program that prints random numbers or depends on scheduling; "
        "even then times differ, since the clock advances with each page fault.",
        epilog="The exit status is the guest's when all runs agree, and 1 when they do not. "
        "Options may also follow PROG; -- ends them.",
    )
    parser.usage = "emu compare [OPTIONS] PROG [ARGS...]"
    parser.add_argument(
        "--page-sizes",
        action="store_true",
        help="compare page sizes instead, under the policy cow: pages of 4 KiB (--thp never), huge "
        "pages of 2 MiB wherever they fit (--thp always), and these copied whole at a store after "
        "a fork (--thp-cow huge)",
    )
    add_output_options(parser, "the table")
    add_guest_options(parser, policy=False)
    parser.set_defaults(function=run, guest=1, trailing=True, fork_policy="cow")


def run(arguments: argparse.Namespace) -> int:
    """Runs the program once for each policy or page size; returns its status, or 1 if the runs
    differ.
    """
    messages = MessageStream()
    sizes = arguments.page_sizes
    for name, default in (("thp", Thp.MADVISE), ("thp_cow", ThpCow.PAGE)) if sizes else ():
        if getattr(arguments, name) is not default:  # a value given is a str, even an equal one
            option = f"--{name.replace('_', '-')}"
            raise CommandError(f"{option}: not possible with --page-sizes, which sets it", 2)
    with ResultOutput(arguments, messages) as output:
        runs = _run_all(arguments, messages, _PAGE_SIZES if sizes else _POLICIES)
        if arguments.json:
            output.write(comparison_json(runs, "pages" if sizes else "policy"))
        else:
            output.write(comparison_text(runs, OF_PAGE_SIZES if sizes else OF_POLICIES))
    different = differences(runs)
    for line in different:
        messages.message(line)
    return _DIFFERENT if different else runs[0].status


def _run_all(
    arguments: argparse.Namespace, messages: MessageStream, changes: dict[str, dict[str, Any]]
) -> list[PolicyRun]:
    """One run for each of ``changes``: its name, and the options that differ."""
    stdin = _standard_input()
    import_module("numpy.ma")  # a run imports it: else the first run would take longer than others
    runs: list[PolicyRun] = []
    for name, options in changes.items():
        session = _open_session(arguments, name, options, stdin, messages)
        policy_run = _run(session, name, messages)
        if not runs:
            _print(policy_run, sys.stderr if writes_to_stdout(arguments) else sys.stdout)
        if session.ended_by:
            problem = f"ended by the user under {name}: nothing to compare"
            raise CommandError(problem, 128 + session.ended_by)
        runs.append(policy_run)
    return runs


def _open_session(
    arguments: argparse.Namespace,
    name: str,
    changed: dict[str, Any],
    stdin: bytes,
    messages: MessageStream,
) -> Session:
    options = replace(guest_options(arguments), **changed)
    command = [arguments.program, *arguments.rest]
    session = Session(options, command, lambda text: messages.message(f"{name}: {text}"))
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
