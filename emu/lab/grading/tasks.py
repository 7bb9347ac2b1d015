"""Grading tasks: the tests of each submission, its result, and the test for an existing result.

A result contains a digest of its inputs. Only submissions whose grading was interrupted, or whose
files or tests have changed, are graded again.
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
from emu.lab.grading.private_tests import PrivateTests
from emu.lab.grading.reports.record import VERSION, GradedTest, Record, Status
from emu.lab.grading.submission_files import Entry
from emu.lab.grading.submissions import Unreadable, read
from emu.lab.host.student import LabFile
from emu.lab.workspace.catalogue import Lab
from emu.version import VERSION as EMU


class CourseTest(NamedTuple):
    """A test of a course."""

    test: Test
    private: bool
    """True for a test from the instructor's own file."""


@dataclass(frozen=True, slots=True)
class Course:
    """Options for grading all submissions."""

    lab: Lab | None = None
    """None: the last lab whose file is in the submission."""
    own: bool = False
    """True to use the student's files of earlier labs, not the reference."""
    private: Sequence[PrivateTests] = ()

    def tests(self, lab: Lab) -> list[CourseTest]:
        public = [CourseTest(test, False) for test in lab.tests]
        of_lab = [private for private in self.private if private.lab == lab]
        return public + [CourseTest(test, True) for each in of_lab for test in each.tests]


@dataclass(frozen=True, slots=True)
class Task:
    """One submission and its tests."""

    entry: Entry
    lab: str
    files: Sequence[LabFile]
    paths: Sequence[str]
    tests: Sequence[CourseTest]
    digest: str
    problem: str = ""
    """Reason why the submission cannot be graded."""
    defect: str = ""
    """Traceback of the grader, if it failed to read the submission."""


def make_task(entry: Entry, course: Course) -> Task:
    """Reads the submission; a problem with it becomes its result."""
    lab = course.lab
    try:
        work = read(entry.path, lab, course.own)
        lab = work.lab
        digest = _digest(course, lab.name, work.files, "\0".join(work.paths))
        return Task(entry, lab.name, work.files, work.paths, course.tests(lab), digest)
    except Unreadable as unreadable:
        problem, defect = str(unreadable), ""
    except Exception:
        problem, defect = "defect of emu: the grader failed", traceback.format_exc()[-4000:]
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
    """Digest of all code that decides a verdict: emu, the kernel, and the guests' sources."""
    digest = hashlib.sha256()
    for package in ("emu", "kernel", "guest"):
        spec = importlib.util.find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        folder = Path(spec.origin).parent
        for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.[chS]")]):
            digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def make_record(task: Task, tests: Sequence[GradedTest]) -> Record:
    """Result of a submission from the results of its tests."""
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


def is_current(stored: Record | None, task: Task) -> bool:
    """True when ``stored`` is this task's result, so that it need not be graded."""
    return stored is not None and stored.digest == task.digest and stored.status != "defect"
