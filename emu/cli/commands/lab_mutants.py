"""``emu lab mutants``: which test tells which wrong solution."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from emu.cli.support.progress import ProgressLine
from emu.lab.mutants.report import lines
from emu.lab.mutants.results import Table, mutants
from emu.lab.workspace.catalogue import Lab, find

_SURVIVED = 1


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
    parser.add_argument("lab", metavar="LAB", help="its name or number (see emu lab list)")
    parser.add_argument("--tests", metavar="DIR", type=Path, help="directory of a student's tests")
    parser.set_defaults(function=run)


def run(arguments: argparse.Namespace) -> int:
    table = _table(find(arguments.lab), arguments.tests)
    for line in lines(table):
        print(line)
    return 0 if table.good else _SURVIVED


def _table(lab: Lab, tests: Path | None) -> Table:
    line = ProgressLine(sys.stderr)
    try:
        return mutants(
            lab, tests, glance=lambda done, total: line.show(f"{done} of {total} wrong solutions")
        )
    finally:
        line.clear()
