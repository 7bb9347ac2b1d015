"""``emu lab``: course labs, for students and teachers."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from emu.cli.commands.lab_grade import add_grade_parser, add_workflow_parser
from emu.cli.commands.lab_mutants import add_mutants_parser
from emu.cli.support.option_values import count, count_or_zero
from emu.errors import CommandError
from emu.lab.host.student import LabFile
from emu.lab.workspace.catalogue import LABS, Lab, find
from emu.lab.workspace.check import Check, select_tests
from emu.lab.workspace.folder import (
    KIT,
    labs_in,
    load_state,
    read_files,
    save_state,
    start,
    work_in,
)
from emu.lab.workspace.replay import replay

_FAILED = 1
_LAST = "last.json"
_OWN = "also use your files of earlier labs; otherwise kernel components are used in their place"


def add_parser(subcommands: Any) -> None:
    parser = subcommands.add_parser(
        "lab",
        allow_abbrev=False,
        help="course labs: write the walk, the frames, fork and the fault handler",
        description="Labs in which a student writes a part of the machine's memory management. "
        "The student's code also runs real programs: emu run --lab DIR PROG.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add(actions, "list", "list the labs", _list)
    starting = _add(actions, "start", "write a lab's files into a directory", _start)
    starting.add_argument("lab", metavar="LAB", help="its name or number (see emu lab list)")
    starting.add_argument(
        "folder", metavar="DIR", type=Path, nargs="?", help="default: a new one of the lab's name"
    )
    checking = _add(actions, "check", "run a lab's graded tests on your code", _check)
    checking.add_argument(
        "selection",
        metavar="LAB|TEST",
        nargs="*",
        help="a lab by name, a test by name or number (default: all labs in the directory)",
    )
    _add_folder(checking)
    checking.add_argument("--own", action="store_true", help=_OWN)
    checking.add_argument(
        "--seed", type=count_or_zero, default=0, metavar="N", help="seed of random operations"
    )
    replaying = _add(actions, "replay", "replay a failure of the last check, step by step", _replay)
    replaying.add_argument("number", metavar="N", type=count, help="number of the failed test")
    replaying.add_argument(
        "lab", metavar="LAB", nargs="?", default="", help="its lab, if several were checked"
    )
    _add_folder(replaying)
    add_grade_parser(actions)
    add_workflow_parser(actions)
    add_mutants_parser(actions)


def _add(actions: Any, name: str, text: str, function: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name, allow_abbrev=False, help=text, description=f"{text[0].upper()}{text[1:]}."
    )
    parser.set_defaults(function=function)
    return parser


def _add_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dir",
        metavar="DIR",
        type=Path,
        default=Path(),
        help="directory of your files (default .)",
    )


def _list(arguments: argparse.Namespace) -> int:
    for lab in LABS.values():
        core = "core" if lab.core else ""
        print(f"{lab.number}  {lab.name:<14} {core:<5} {lab.title}")
    return 0


def _start(arguments: argparse.Namespace) -> int:
    lab = find(arguments.lab)
    folder = arguments.folder or Path(lab.name)
    for path in start(lab, folder):
        print(path)
    enter = "" if folder == Path() else f"cd {folder} && "
    read = f"{lab.module}.md and {KIT}"
    print(f"\nread {read}, complete {lab.file}, then: {enter}emu lab check")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    labs, test = _select(arguments.selection, arguments.dir)
    passed = True
    failures: list[dict[str, Any]] = []
    for lab in labs:
        check = _run_check(lab, test, arguments)
        passed &= check.passed
        used = {"lab": lab.name, "own": arguments.own}
        failures += [{**used, **each} for each in check.replay_records]
    save_state(arguments.dir, _LAST, failures)
    return 0 if passed else _FAILED


def _run_check(lab: Lab, test: str, arguments: argparse.Namespace) -> Check:
    folder: Path = arguments.dir
    files = _files(folder, lab, own=arguments.own)
    tests = select_tests(lab, test)
    print(f"lab {lab.number}, {lab.name}: {folder / lab.file}", flush=True)
    check = Check(lab, lambda line: print(line, flush=True))
    check.run(lab.submission(files, arguments.seed), tests)
    print(check.summary())
    return check


def _files(folder: Path, lab: Lab, *, own: bool) -> list[LabFile]:
    """The lab's file, and with ``own`` the student's files of earlier labs."""
    used = [other for other in labs_in(folder) if own and other.number < lab.number]
    return read_files(folder, [*used, lab])


def _select(names: list[str], folder: Path) -> tuple[list[Lab], str]:
    """The selected labs, and the name or number of a selected test, else ""."""
    named = [name for name in names if not name.isdigit() and name in LABS]
    tests = [name for name in names if name not in named]
    if len(tests) > 1:
        raise CommandError(_too_many(tests))
    if named:
        return [find(name) for name in named], "".join(tests)
    labs = labs_in(folder)
    if not labs and (unknown := _unknown(tests)):
        raise CommandError(unknown)
    work_in(folder)
    if tests:
        matching = [lab for lab in labs if any(tests[0] == test.name for test in lab.tests)]
        return matching or labs[-1:], tests[0]
    return labs, ""


def _too_many(names: list[str]) -> str:
    """The error for two or more names that are not labs."""
    several = f"{' '.join(names)}: several tests (expected one, or none for all)"
    return _unknown(names) or several


def _unknown(names: list[str]) -> str:
    """The error for the first name that is neither a lab nor a test; empty if there is none."""
    tests = {test.name for lab in LABS.values() for test in lab.tests}
    unknown = (name for name in names if not name.isdigit() and name not in tests)
    return next((f"{name}: unknown lab or test (see emu lab list)" for name in unknown), "")


def _replay(arguments: argparse.Namespace) -> int:
    failures = load_state(arguments.dir, _LAST) or []
    found = [
        each
        for each in failures
        if each.get("number") == arguments.number and arguments.lab in ("", each.get("lab"))
    ]
    if not found:
        numbers = ", ".join(str(each.get("number")) for each in failures) or "none"
        raise CommandError(
            f"lab replay {arguments.number}: no such failure in the last check "
            f"(expected {numbers}; emu lab check stores failures)"
        )
    lab = find(found[0]["lab"])
    files = _files(arguments.dir, lab, own=bool(found[0].get("own")))
    fails = replay(found[0], files, print)
    return _FAILED if fails else 0
