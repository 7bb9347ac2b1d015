"""``emu lab grade``: grades a directory of submissions, or one."""

from __future__ import annotations

import argparse
import errno
import json
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emu.cli.support.message_stream import MessageStream, as_command_error
from emu.cli.support.option_values import count
from emu.errors import DEFECT_STATUS, CommandError

if TYPE_CHECKING:
    from emu.lab.grading.reports.record import Record
    from emu.lab.grading.result_store import ResultStore
    from emu.lab.grading.submission_files import Entry
    from emu.lab.grading.tasks import Course, Task

_FORMATS = ("json", "gradescope", "junit", "text")
_FAILED = 1


def add_grade_parser(subcommands: Any) -> None:
    parser = subcommands.add_parser(
        "grade",
        allow_abbrev=False,
        help="grade many submissions, or one",
        description="Grades each entry of SUBMISSIONS: a directory with the student's files, a "
        "single .py, or a .zip. For each, a directory in RESULTS has its result in every format; "
        "RESULTS/summary.csv has all results. An existing result of the same files and tests is "
        "kept.",
        epilog="The exit status is 0 when all were graded, whatever the verdicts; 70 when a "
        "defect of emu prevented one, which the next run grades again.",
    )
    parser.add_argument(
        "submissions", metavar="SUBMISSIONS", nargs="?", help="directory of submissions"
    )
    parser.add_argument(
        "--one", metavar="SUBMISSION", help="grade a single one; -o names the file of its result"
    )
    parser.add_argument("-o", "--output", metavar="RESULTS", help="directory of the results")
    parser.add_argument(
        "--lab", help="the lab to grade (default: the last one whose file is in the submission)"
    )
    parser.add_argument(
        "--own", action="store_true", help="also use the student's files of earlier labs"
    )
    parser.add_argument(
        "--private",
        metavar="FILE.toml",
        action="append",
        default=[],
        type=Path,
        help="tests of yours; may be given once for each lab",
    )
    parser.add_argument(
        "-j", "--jobs", metavar="N", type=count, help="parallel jobs (default: one per CPU)"
    )
    parser.add_argument(
        "--formats",
        metavar="LIST",
        type=_formats,
        help=f"some of {','.join(_FORMATS)} (default: all; with --one json)",
    )
    only = parser.add_mutually_exclusive_group()
    only.add_argument(
        "--merge", action="store_true", help="grade nothing: combine existing results"
    )
    only.add_argument(
        "--list", action="store_true", help="grade nothing: print the submissions as JSON"
    )
    parser.set_defaults(function=run)


def add_workflow_parser(subcommands: Any) -> None:
    parser = subcommands.add_parser(
        "workflow",
        allow_abbrev=False,
        help="print the path of a Snakemake workflow that grades on a cluster",
        description="Prints the path of the Snakefile, as in: snakemake -s $(emu lab workflow) …; "
        "its README.md explains it.",
    )
    parser.set_defaults(function=_workflow)


def _workflow(options: argparse.Namespace) -> int:
    import emu.lab

    print(Path(emu.lab.__file__).parent / "grading" / "workflow" / "Snakefile")
    return 0


def _formats(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in _FORMATS:
            raise argparse.ArgumentTypeError(
                f"{name!r}: unknown format (expected one of {', '.join(_FORMATS)})"
            )
    return names


def run(options: argparse.Namespace) -> int:
    try:
        return _run(options)
    except KeyboardInterrupt:
        MessageStream().message("stopped; the next run continues here")
        raise


def _run(options: argparse.Namespace) -> int:
    if (options.one is None) == (options.submissions is None):
        raise CommandError("lab grade: expected either SUBMISSIONS or --one SUBMISSION")
    if options.one is not None and (options.merge or options.list):
        raise CommandError("--one: not allowed with --merge or --list")
    if options.output is None and not options.list:
        raise CommandError("lab grade: missing option -o (expected the directory of the results)")
    course = _course(options)
    if not options.merge and not options.list:
        _warn_if_unconfined()
    if options.one is not None:
        return _grade_one(options, course)
    found = _entries(options.submissions)
    if options.list:
        return _list(found, course)
    return _grade_all(options, course, found)


def _warn_if_unconfined() -> None:
    """Prints a warning if the host cannot confine a submission's code."""
    from emu.lab.host.student import can_confine

    if not can_confine():
        MessageStream().message(
            "this host has no seccomp: a submission's code is limited in time and memory, but "
            "can access your files; grade only submissions that you trust"
        )


def _course(options: argparse.Namespace) -> Course:
    from emu.lab.grading.private_tests import load
    from emu.lab.grading.tasks import Course
    from emu.lab.workspace.catalogue import find

    lab = find(options.lab) if options.lab else None
    private = [load(path) for path in options.private]
    named = [each.lab.name for each in private]
    if len(named) != len(set(named)):
        raise CommandError("--private: several files for one lab (expected one)")
    return Course(lab, options.own, private)


def _entries(folder: str) -> Sequence[Entry]:
    from emu.lab.grading.submission_files import entries

    with as_command_error(folder):
        found, others = entries(folder)
    for name in others:
        MessageStream().message(f"{name}: skipped (expected a directory, .py or .zip)")
    if not found:
        raise CommandError(f"{folder}: no submissions")
    return found


def _list(found: Sequence[Entry], course: Course) -> int:
    """Prints one JSON object for each submission, for a workflow that grades them one by one."""
    from emu.lab.grading.tasks import make_task

    listed = [
        {
            "submission": entry.name,
            "result": entry.result,
            "digest": make_task(entry, course).digest,
        }
        for entry in found
    ]
    print(json.dumps(listed, indent=1))
    return 0


def _grade_one(options: argparse.Namespace, course: Course) -> int:
    from emu.lab.grading.grade_process import Limits, grade
    from emu.lab.grading.reports import FORMATS
    from emu.lab.grading.result_store import read, write
    from emu.lab.grading.submission_files import entry_at
    from emu.lab.grading.tasks import is_current, make_task

    formats = options.formats or ["json"]
    if len(formats) != 1:
        raise CommandError("--formats: several formats (expected one with --one)")
    entry = entry_at(options.one)
    if entry is None:
        raise CommandError(f"{options.one}: {os.strerror(errno.ENOENT)}")
    output = Path(options.output)
    task = make_task(entry, course)
    if is_current(read(output), task):
        return 0
    _prepare([task])
    _, record = next(grade([task], 1, Limits()))
    with as_command_error(options.output):
        write(output, FORMATS[formats[0]].make(record))
    return DEFECT_STATUS if record.status == "defect" else 0


def _grade_all(options: argparse.Namespace, course: Course, found: Sequence[Entry]) -> int:
    from emu.lab.grading.reports.summary import summary_text
    from emu.lab.grading.result_store import ResultStore
    from emu.lab.grading.tasks import make_task

    results = ResultStore(Path(options.output), options.formats or _FORMATS)
    with as_command_error(options.output):
        tasks = [make_task(entry, course) for entry in found]
        if options.merge:
            records = _load_all(tasks, results)
        else:
            records = _grade_missing(tasks, results, options.jobs or os.cpu_count() or 1)
        results.write_summary(records)
    print(summary_text(records).decode(), end="")
    if any(record.status == "defect" for record in records):
        return DEFECT_STATUS
    return _FAILED if len(records) < len(found) else 0


def _load_all(tasks: Sequence[Task], results: ResultStore) -> list[Record]:
    """The existing results that are up to date."""
    records = []
    for task in tasks:
        record = results.load(task.entry)
        if record is None or record.digest != task.digest:
            MessageStream().message(f"{task.entry.name}: not graded yet")
            continue
        results.write_reports(task.entry, record)
        records.append(record)
    return records


def _grade_missing(tasks: Sequence[Task], results: ResultStore, jobs: int) -> list[Record]:
    """All results; those that exist and are up to date are not graded again."""
    from emu.lab.grading.grade_process import Limits, grade
    from emu.lab.grading.tasks import is_current

    records: dict[str, Record] = {}
    missing = []
    for task in tasks:
        stored = results.load(task.entry)
        if stored is not None and is_current(stored, task):
            results.write_reports(task.entry, stored)
            records[task.entry.path] = stored
        else:
            missing.append(task)
    _prepare(missing)
    if records:
        MessageStream().message(f"{len(records)} of {len(tasks)} are graded already")
    with closing(grade(missing, jobs, Limits())) as graded:
        for task, record in graded:
            results.store(task.entry, record)
            records[task.entry.path] = record
            _print_progress(record, len(records), len(tasks))
    return [records[task.entry.path] for task in tasks]


def _prepare(tasks: Sequence[Task]) -> None:
    """Builds the guests first, so that a failure does not occur within a submission's tests."""
    from emu.lab.graded.guest_tests import GuestProgram, build_guest, guest_source

    tests = [each.test for task in tasks for each in task.tests]
    for test in tests:
        if isinstance(test, GuestProgram):
            build_guest(test.source or guest_source(test.guest))


def _print_progress(record: Record, done: int, total: int) -> None:
    score = record.problem or f"{record.score}/{record.max_score}"
    defect = "  defect of emu" if record.status == "defect" else ""
    print(f"[{done}/{total}] {record.submission}  {score}{defect}", file=sys.stderr, flush=True)
