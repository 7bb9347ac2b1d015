"""``emu lab mutants``: which test tells which wrong solution."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from emu.cli.guest_run import open_streams
from emu.lab.catalogue import NoSuchLab, find
from emu.lab.mutants.table import Table, Verdict, mutants
from emu.lab.mutants.told import lines
from emu.lab.mutants.written_tests import NoOperations
from toolchain.errors import ToolchainError

_SURVIVED = 1
_MISUSED = 2


def add_mutants_parser(actions: Any) -> None:
    parser = actions.add_parser(
        "mutants",
        allow_abbrev=False,
        help="run a lab's wrong solutions, and show which test tells each",
        description="Runs the lab's catalogue of wrong solutions and cheats, and shows which test "
        "tells each, and by what. With --tests DIR the tests are those that somebody else wrote: "
        "files of operations, one test in each.",
        epilog="The exit status is 1 when a wrong solution is told by nobody, or by other than "
        "what is expected to.",
    )
    parser.add_argument("lab", metavar="LAB")
    parser.add_argument("--tests", metavar="DIR", type=Path, help="tests that students wrote")
    parser.set_defaults(function=run)


def run(arguments: argparse.Namespace) -> int:
    open_streams()
    try:
        table: Table = mutants(find(arguments.lab), arguments.tests, done=_progress)
    except (NoSuchLab, NoOperations, ToolchainError) as error:
        print(f"emu: {error}", file=sys.stderr)
        return _MISUSED
    except OSError as error:
        print(f"emu: {error.filename}: {error.strerror}", file=sys.stderr)
        return _MISUSED
    for line in lines(table):
        print(line)
    return 0 if table.good else _SURVIVED


def _progress(verdict: Verdict) -> None:
    if sys.stderr is not None and sys.stderr.isatty():
        print(f"\r\x1b[K{verdict.mutant.name}", end="", file=sys.stderr, flush=True)
        print("\r\x1b[K", end="", file=sys.stderr)
