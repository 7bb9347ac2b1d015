"""Grades submissions: which tests each gets, what its result is, and whether that is there already.

A result says of what it was made by a digest, so one that was interrupted, or whose submission or
tests have changed since, is made anew, and no other.
"""

from __future__ import annotations

import hashlib
import importlib.util
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from emu.lab.graded.submission import Test
from emu.lab.grading.private_tests import Private
from emu.lab.grading.reports.record import VERSION, GradedTest, Record, Status
from emu.lab.grading.submission_files import Entry
from emu.lab.grading.submissions import Unreadable, read
from emu.lab.host.student import LabFile
from emu.lab.workspace.catalogue import Lab
from emu.version import VERSION as EMU


class Graded(NamedTuple):
    """A test, and whether it is the instructor's own."""

    test: Test
    private: bool


@dataclass(frozen=True, slots=True)
class Course:
    """How all submissions are graded."""

    lab: Lab | None = None
    """None: the lab whose file is in the submission."""
    own: bool = False
    """The student's earlier labs are used, not ours."""
    private: Sequence[Private] = ()

    def tests(self, lab: Lab) -> list[Graded]:
        public = [Graded(test, False) for test in lab.tests]
        of_lab = [private for private in self.private if private.lab == lab]
        return public + [Graded(test, True) for each in of_lab for test in each.tests]


@dataclass(frozen=True, slots=True)
class Task:
    """One submission, and what is to be done with it."""

    entry: Entry
    lab: str
    files: Sequence[LabFile]
    paths: Sequence[str]
    tests: Sequence[Graded]
    digest: str
    problem: str = ""
    """Why there is nothing to grade."""
    defect: str = ""
    """The grader's own traceback, when it could not even read the submission."""


def task(entry: Entry, course: Course) -> Task:
    """Reads the submission; what goes wrong there is its result."""
    lab = course.lab
    try:
        work = read(entry.path, lab, course.own)
        lab = work.lab
        digest = _digest(course, lab.name, work.files, "\0".join(work.paths))
        return Task(entry, lab.name, work.files, work.paths, course.tests(lab), digest)
    except Unreadable as unreadable:
        problem, defect = str(unreadable), ""
    except Exception:
        problem, defect = "the grader itself failed on it", traceback.format_exc()[-4000:]
    name, tests = (lab.name, course.tests(lab)) if lab else ("", [])
    digest = _digest(course, name, [], problem)
    return Task(entry, name, [], [], tests, digest, problem, defect)


def _digest(course: Course, lab: str, files: Sequence[LabFile], rest: str) -> str:
    whole = hashlib.sha256(f"{VERSION} {EMU} {lab} {code_digest()}".encode())
    private = [each.digest for each in course.private if each.lab.name == lab]
    for part in (*private, *(text for file in files for text in file), rest):
        data = part.encode("utf-8", "backslashreplace")
        whole.update(len(data).to_bytes(8, "little") + data)
    return whole.hexdigest()


@cache
def code_digest() -> str:
    """Of what decides a verdict: emu's own code, the kernel's, and the guests' sources."""
    digest = hashlib.sha256()
    for package in ("emu", "kernel", "guest"):
        spec = importlib.util.find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        folder = Path(spec.origin).parent
        for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.[chS]")]):
            digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def record(task: Task, tests: Sequence[GradedTest]) -> Record:
    """The result, when ``tests`` has what came of each test."""
    return Record(
        version=VERSION,
        emu=EMU,
        digest=task.digest,
        submission=task.entry.name,
        lab=task.lab,
        files=list(task.paths),
        status=_status(task, tests),
        problem=task.problem,
        defect=task.defect,
        score=sum(test.points for test in tests),
        max_score=sum(graded.test.points for graded in task.tests),
        seconds=round(sum(test.seconds for test in tests), 3),
        tests=list(tests),
    )


def _status(task: Task, tests: Sequence[GradedTest]) -> Status:
    if task.defect or any(test.status == "defect" for test in tests):
        return "defect"
    return "unreadable" if task.problem else "graded"


def holds(found: Record | None, task: Task) -> bool:
    """Whether ``found`` is this task's result, so nothing needs to be done."""
    return found is not None and found.digest == task.digest and found.status != "defect"
