"""``emu lab``: a course's labs, for students and teachers."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from emu.cli.commands.lab_grade import add_grade_parser, add_workflow_parser
from emu.cli.commands.lab_mutants import add_mutants_parser
from emu.cli.support.standard_streams import open_streams
from emu.lab.host.student import LabFile
from emu.lab.workspace.catalogue import LABS, Lab, NoSuchLab, find
from emu.lab.workspace.check import Check, NoSuchTest, numbered
from emu.lab.workspace.folder import (
    KIT,
    BadWorkspace,
    keep,
    kept,
    labs_in,
    read_files,
    start,
    work_in,
)
from emu.lab.workspace.replay import NothingKept, replay
from toolchain.errors import ToolchainError

_FAILED = 1
_MISUSED = 2
_LAST = "last.json"


def add_parser(subcommands: Any) -> None:
    parser = subcommands.add_parser(
        "lab",
        allow_abbrev=False,
        help="course labs: write the walk, the frames, fork and the fault handler",
        description="Labs in which a student writes a part of the machine's memory management. "
        "The student's code then runs real programs, too: emu run --lab DIR PROG.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add(actions, "list", "the labs", _list)
    starting = _add(actions, "start", "write a lab's files into a folder", _start)
    starting.add_argument("lab", metavar="LAB")
    starting.add_argument("folder", metavar="DIR", type=Path, nargs="?")
    checking = _add(actions, "check", "run a lab's graded tests on your code", _check)
    checking.add_argument(
        "wanted",
        metavar="LAB|TEST",
        nargs="*",
        help="a lab by name, a test by name or number; all of what is in the folder by default",
    )
    _add_folder(checking)
    checking.add_argument("--own", action="store_true", help=_OWN)
    checking.add_argument("--seed", type=int, default=0, help="of the random operations")
    replaying = _add(actions, "replay", "play a failure of the last check, step by step", _replay)
    replaying.add_argument("number", metavar="N", type=int)
    replaying.add_argument("lab", metavar="LAB", nargs="?", default="")
    _add_folder(replaying)
    add_grade_parser(actions)
    add_workflow_parser(actions)
    add_mutants_parser(actions)


_OWN = "use your files of earlier labs too, where else the kernel's own parts are used"


def _add(actions: Any, name: str, text: str, function: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name, allow_abbrev=False, help=text, description=f"{text[0].upper()}{text[1:]}."
    )
    parser.set_defaults(function=_guarded, lab_function=function)
    return parser


def _add_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dir", metavar="DIR", type=Path, default=Path(), help="where your files are (default .)"
    )


def _guarded(arguments: argparse.Namespace) -> int:
    """Turns what the user got wrong into one line."""
    open_streams()
    try:
        status: int = arguments.lab_function(arguments)
        return status
    except (NoSuchLab, NoSuchTest, BadWorkspace, NothingKept, ToolchainError) as error:
        print(f"emu: {error}", file=sys.stderr)
        return _MISUSED


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
    inside = "" if folder == Path() else f"cd {folder} && "
    read = f"{lab.module}.md and {KIT}"
    print(f"\nread {read}, complete {lab.file}, then: {inside}emu lab check")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    labs, test = _wanted(arguments.wanted, arguments.dir)
    passed = True
    failures: list[dict[str, Any]] = []
    for lab in labs:
        check = _checked(lab, test, arguments)
        passed &= check.passed
        used = {"lab": lab.name, "own": arguments.own}
        failures += [{**used, **each} for each in check.kept]
    keep(arguments.dir, _LAST, failures)
    return 0 if passed else _FAILED


def _checked(lab: Lab, test: str, arguments: argparse.Namespace) -> Check:
    folder: Path = arguments.dir
    files = _files(folder, lab, own=arguments.own)
    tests = numbered(lab, test)
    print(f"lab {lab.number}, {lab.name}: {folder / lab.file}", flush=True)
    check = Check(lab, lambda line: print(line, flush=True))
    check.run(lab.submission(files, arguments.seed), tests)
    print(check.summary())
    return check


def _files(folder: Path, lab: Lab, *, own: bool) -> list[LabFile]:
    """The lab's file, and those of earlier labs where the student's ``own`` are to be used."""
    used = [other for other in labs_in(folder) if own and other.number < lab.number]
    return read_files(folder, [*used, lab])


def _wanted(words: list[str], folder: Path) -> tuple[list[Lab], str]:
    """The labs, and the name or number of one test, that the words ask for."""
    named = [word for word in words if not word.isdigit() and word in LABS]
    tests = [word for word in words if word not in named]
    if len(tests) > 1:
        raise BadWorkspace(_several(tests))
    if named:
        return [find(name) for name in named], "".join(tests)
    work_in(folder)
    labs = labs_in(folder)
    if tests:
        having = [lab for lab in labs if any(tests[0] == test.name for test in lab.tests)]
        return having or labs[-1:], tests[0]
    return labs, ""


def _several(words: list[str]) -> str:
    """What is wrong with two words that name no lab."""
    wrong = [word for word in words if not word.isdigit() and word not in _all_tests()]
    if wrong:
        return f"there is no lab and no test {wrong[0]!r}"
    return f"one test at a time, or all of them; not {' and '.join(words)}"


def _all_tests() -> set[str]:
    return {test.name for lab in LABS.values() for test in lab.tests}


def _replay(arguments: argparse.Namespace) -> int:
    failures = kept(arguments.dir, _LAST) or []
    found = [
        each
        for each in failures
        if each.get("number") == arguments.number and arguments.lab in ("", each.get("lab"))
    ]
    if not found:
        numbers = ", ".join(str(each.get("number")) for each in failures) or "none"
        raise NothingKept(
            f"the last check has no failure {arguments.number} (it has: {numbers}); "
            "first: emu lab check"
        )
    lab = find(found[0]["lab"])
    files = _files(arguments.dir, lab, own=bool(found[0].get("own")))
    fails = replay(found[0], files, print)
    return _FAILED if fails else 0
