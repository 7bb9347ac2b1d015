"""Submissions and tests of a lab for the tests of its grading."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from emu.lab.graded.submission import Submission
from emu.lab.grading.submission_files import Entry
from emu.lab.grading.tasks import Course, CourseTest, Task
from emu.lab.simulation.differential import Failure
from emu.lab.workspace.catalogue import find
from tests.emu.commands import EMU, environment

COW = find("cow-fork")
SKELETON = COW.skeleton
COURSE = Course(COW)


@dataclass(frozen=True)
class Question:
    """A graded test that returns the result of a function."""

    name: str
    answer: Callable[[], Failure | None]
    question: str = "what then?"
    points: int = 5

    def run(self, submission: Submission) -> Failure | None:
        return self.answer()


def fine() -> None:
    return None


def wrong() -> Failure:
    return Failure("isolation", "after \x1b[2J", ["line\nok  passed"])


def broken() -> None:
    raise KeyError("ours")


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def endless() -> None:
    time.sleep(1000)


def task(*answers: Callable[[], Failure | None], name: str = "ada") -> Task:
    tests = [CourseTest(Question(answer.__name__, answer), False) for answer in answers]
    return Task(Entry(name), "cow-fork", [], [], tests, "digest")


def grade(*words: str | Path, seconds: float = 240) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*EMU, "lab", "grade", *map(str, words)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
