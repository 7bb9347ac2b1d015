"""``emu lab mutants``: shows which test detects which wrong solution."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from emu.cli.support.progress import ProgressLine
from emu.lab.mutants.report import lines
from emu.lab.mutants.results import Table, run_mutants
from emu.lab.workspace.catalogue import Lab, find

_SURVIVED = 1


def add_mutants_parser(actions: Any) -> None:
    parser = actions.add_parser(
        "mutants",
        allow_abbrev=False,
        help="run a lab's wrong solutions, and show which test detects each",
        description="Runs the lab's catalogue of wrong solutions and cheats, and shows which test "
        "detects each, by which finding. With --tests DIR runs a student's tests: files of "
        "operations, one test in each.",
        epilog="The exit status is 1 when no test detects a wrong solution, or only by a finding "
        "that was not expected.",
    )
    parser.add_argument("lab", metavar="LAB", help="its name or number (see emu lab list)")
    parser.add_argument("--tests", metavar="DIR", type=Path, help="directory of a student's tests")
    parser.set_defaults(function=run)


def run(arguments: argparse.Namespace) -> int:
    table = _table(find(arguments.lab), arguments.tests)
    for line in lines(table):
        print(line)
    return 0 if table.passed else _SURVIVED


def _table(lab: Lab, tests: Path | None) -> Table:
    line = ProgressLine(sys.stderr)
    try:
        return run_mutants(
            lab,
            tests,
            report_progress=lambda done, total: line.show(f"{done} of {total} wrong solutions"),
        )
    finally:
        line.clear()
