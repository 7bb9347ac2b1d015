"""``emu lab grade``: grades a folder of submissions, or one."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emu.cli.support.standard_streams import open_streams

if TYPE_CHECKING:
    from emu.lab.grading.reports.record import Record
    from emu.lab.grading.result_store import Results
    from emu.lab.grading.submission_files import Entry
    from emu.lab.grading.tasks import Course, Task

_FORMATS = ("json", "gradescope", "junit", "text")
_FAILED, _USAGE, _DEFECT = 1, 2, 70
"""70 is EX_SOFTWARE of sysexits.h."""


class _Refused(Exception):
    """The command can't be carried out; the message is one line."""


def add_grade_parser(subcommands: Any) -> None:
    parser = subcommands.add_parser(
        "grade",
        allow_abbrev=False,
        help="grade many submissions, or one",
        description="Grades each entry of SUBMISSIONS: a folder with the student's files, a single "
        ".py, or a .zip. Each gets a folder in RESULTS with its result in every format, and "
        "RESULTS/summary.csv has them all. A result that is there already, and of the same files "
        "and tests, is not made anew.",
        epilog="The exit status is 0 when all could be graded, whatever the verdicts; 70 when a "
        "defect of emu was in the way of one, which the next run grades again.",
    )
    parser.add_argument("submissions", metavar="SUBMISSIONS", nargs="?")
    parser.add_argument(
        "--one", metavar="SUBMISSION", help="a single one; -o is the file of its result"
    )
    parser.add_argument("-o", "--output", metavar="RESULTS", help="where the results go")
    parser.add_argument("--lab", help="default: the last one whose file is in the submission")
    parser.add_argument("--own", action="store_true", help="use the student's earlier labs too")
    parser.add_argument(
        "--private",
        metavar="FILE.toml",
        action="append",
        default=[],
        type=Path,
        help="your own tests; may be given again, for another lab",
    )
    parser.add_argument("-j", "--jobs", metavar="N", type=_positive, help="default: one per CPU")
    parser.add_argument(
        "--formats",
        metavar="LIST",
        type=_formats,
        help=f"of {','.join(_FORMATS)}; default: all, and with --one json",
    )
    only = parser.add_mutually_exclusive_group()
    only.add_argument(
        "--merge", action="store_true", help="grade nothing: put together what is there"
    )
    only.add_argument(
        "--list", action="store_true", help="grade nothing: print what there is to grade, as JSON"
    )
    parser.set_defaults(function=run)


def add_workflow_parser(subcommands: Any) -> None:
    parser = subcommands.add_parser(
        "workflow",
        allow_abbrev=False,
        help="where the Snakemake workflow is that grades on a cluster",
        description="Prints the path of the Snakefile, as in: snakemake -s $(emu lab workflow) …; "
        "its README.md tells how.",
    )
    parser.set_defaults(function=_workflow)


def _workflow(options: argparse.Namespace) -> int:
    import emu.lab

    print(Path(emu.lab.__file__).parent / "grading" / "workflow" / "Snakefile")
    return 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not positive")
    return number


def _formats(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in _FORMATS:
            raise argparse.ArgumentTypeError(f"no format {name!r}; there are {', '.join(_FORMATS)}")
    return names


def run(options: argparse.Namespace) -> int:
    open_streams()
    try:
        return _run(options)
    except _Refused as refused:
        print(f"emu: {refused}", file=sys.stderr)
        return _USAGE
    except KeyboardInterrupt:
        print("emu: stopped; the next run goes on from here", file=sys.stderr)
        raise


def _run(options: argparse.Namespace) -> int:
    if (options.one is None) == (options.submissions is None):
        raise _Refused("give either SUBMISSIONS or --one SUBMISSION")
    if options.one is not None and (options.merge or options.list):
        raise _Refused("--merge and --list are for a folder of submissions")
    if options.output is None and not options.list:
        raise _Refused("say with -o where results go")
    course = _course(options)
    if not options.merge and not options.list:
        _look_at_the_walls()
    if options.one is not None:
        return _grade_one(options, course)
    found = _entries(options.submissions)
    if options.list:
        return _list(found, course)
    return _grade_all(options, course, found)


def _look_at_the_walls() -> None:
    """Says when a submission's code could reach more than the grader."""
    from emu.lab.host.student import can_confine

    if not can_confine():
        print(
            "emu: this host has no seccomp: a submission's code is limited in time and memory, but "
            "may reach your files; grade only what you trust",
            file=sys.stderr,
        )


def _course(options: argparse.Namespace) -> Course:
    from emu.lab.grading.private_tests import BadPrivate, load
    from emu.lab.grading.tasks import Course
    from emu.lab.workspace.catalogue import NoSuchLab, find

    try:
        lab = find(options.lab) if options.lab else None
        private = [load(path) for path in options.private]
    except (NoSuchLab, BadPrivate) as error:
        raise _Refused(str(error)) from None
    named = [each.lab.name for each in private]
    if len(named) != len(set(named)):
        raise _Refused("there are two private files for one lab")
    return Course(lab, options.own, private)


def _entries(folder: str) -> Sequence[Entry]:
    from emu.lab.grading.submission_files import entries

    try:
        found, others = entries(folder)
    except OSError as error:
        raise _Refused(f"{folder}: {error.strerror}") from None
    for name in others:
        print(f"emu: {name}: neither a folder nor .py nor .zip, left out", file=sys.stderr)
    if not found:
        raise _Refused(f"{folder}: no submissions")
    return found


def _list(found: Sequence[Entry], course: Course) -> int:
    """One object for each submission: for a workflow that grades them one by one."""
    from emu.lab.grading.tasks import task

    listed = [
        {"submission": entry.name, "result": entry.result, "digest": task(entry, course).digest}
        for entry in found
    ]
    print(json.dumps(listed, indent=1))
    return 0


def _grade_one(options: argparse.Namespace, course: Course) -> int:
    from emu.lab.grading.grade_process import Limits, grade
    from emu.lab.grading.reports import FORMATS
    from emu.lab.grading.result_store import read, write
    from emu.lab.grading.submission_files import entry_at
    from emu.lab.grading.tasks import holds, task

    formats = options.formats or ["json"]
    if len(formats) != 1:
        raise _Refused("--one writes one format")
    entry = entry_at(options.one)
    if entry is None:
        raise _Refused(f"{options.one}: no such submission")
    output = Path(options.output)
    wanted = task(entry, course)
    if holds(read(output), wanted):
        return 0
    _prepare([wanted])
    _, record = next(grade([wanted], 1, Limits()))
    with _writing():
        write(output, FORMATS[formats[0]].make(record))
    return _DEFECT if record.status == "defect" else 0


def _grade_all(options: argparse.Namespace, course: Course, found: Sequence[Entry]) -> int:
    from emu.lab.grading.reports.summary import summary_text
    from emu.lab.grading.result_store import Results
    from emu.lab.grading.tasks import task

    results = Results(Path(options.output), options.formats or _FORMATS)
    with _writing():
        tasks = [task(entry, course) for entry in found]
        if options.merge:
            records = _merged(tasks, results)
        else:
            records = _made(tasks, results, options.jobs or os.cpu_count() or 1)
        results.write_summary(records)
    print(summary_text(records).decode(), end="")
    if any(record.status == "defect" for record in records):
        return _DEFECT
    return _FAILED if len(records) < len(found) else 0


def _merged(tasks: Sequence[Task], results: Results) -> list[Record]:
    """The results that are there, and hold."""
    records = []
    for task in tasks:
        record = results.kept(task.entry)
        if record is None or record.digest != task.digest:
            print(f"emu: {task.entry.name}: not graded yet", file=sys.stderr)
            continue
        results.write_others(task.entry, record)
        records.append(record)
    return records


def _made(tasks: Sequence[Task], results: Results, jobs: int) -> list[Record]:
    """All results; those that are there and hold are not made anew."""
    from emu.lab.grading.grade_process import Limits, grade
    from emu.lab.grading.tasks import holds

    records: dict[str, Record] = {}
    missing = []
    for task in tasks:
        kept = results.kept(task.entry)
        if kept is not None and holds(kept, task):
            results.write_others(task.entry, kept)
            records[task.entry.path] = kept
        else:
            missing.append(task)
    _prepare(missing)
    if records:
        print(f"emu: {len(records)} of {len(tasks)} are there already", file=sys.stderr)
    with closing(grade(missing, jobs, Limits())) as graded:
        for task, record in graded:
            results.keep(task.entry, record)
            records[task.entry.path] = record
            _tell(record, len(records), len(tasks))
    return [records[task.entry.path] for task in tasks]


def _prepare(tasks: Sequence[Task]) -> None:
    """Builds the guests, lest that fails in the midst of a submission's tests."""
    from emu.lab.graded.guest_tests import GuestProgram, build_guest, guest_source
    from toolchain.errors import ToolchainError

    tests = [each.test for task in tasks for each in task.tests]
    try:
        for test in tests:
            if isinstance(test, GuestProgram):
                build_guest(test.source or guest_source(test.guest))
    except ToolchainError as error:
        raise _Refused(str(error)) from None


def _tell(record: Record, done: int, total: int) -> None:
    score = record.problem or f"{record.score}/{record.max_score}"
    defect = "  defect of emu" if record.status == "defect" else ""
    print(f"[{done}/{total}] {record.submission}  {score}{defect}", file=sys.stderr, flush=True)


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _Refused(f"{error.filename or 'results'}: {error.strerror}") from None
