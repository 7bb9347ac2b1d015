"""Grades many submissions at a time, each in a process of ours that can be ended.

The student's code has its own process below that (:mod:`emu.lab.host.student`), which it can't
leave. This one is for what the code can make the grader do: take long, take memory, or show a
defect. It costs the test in which it happens, and no other.
"""

from __future__ import annotations

import gc
import traceback
from collections.abc import Generator, Iterable
from multiprocessing.connection import Connection, wait
from time import monotonic
from typing import NamedTuple

from emu.lab.graded.submission import Submission, run
from emu.lab.grading.reports.record import FailureRecord, GradedTest, Record, Verdict
from emu.lab.grading.tasks import Graded, Task, record
from emu.lab.host.worker_process import Worker
from emu.lab.simulation.differential import Failure
from emu.lab.simulation.operations import to_json
from emu.lab.text.sanitize import sanitize, sanitize_lines
from emu.lab.workspace.catalogue import find

_BY_REFERENCE = "   (done by the reference)"


class Limits(NamedTuple):
    """Seconds."""

    test: float = 60.0
    submission: float = 300.0
    """Tests that come after it fail unseen."""


def grade(
    tasks: Iterable[Task], jobs: int, limits: Limits
) -> Generator[tuple[Task, Record], None, None]:
    """Each task with its result, as they are done; ``jobs`` at a time."""
    source = iter(tasks)
    running: list[_Running] = []
    try:
        while True:
            while len(running) < jobs and (task := next(source, None)) is not None:
                if task.problem:
                    yield task, record(task, [])
                else:
                    running.append(_Running(task, limits))
            if not running:
                return
            _look_after(running)
            for done in [each for each in running if each.finished]:
                running.remove(done)
                yield done.task, record(done.task, done.results)
    finally:
        for each in running:
            each.stop()


def _look_after(running: list[_Running]) -> None:
    """Waits until something happens, and takes note of it."""
    soonest = min(each.deadline for each in running) - monotonic()
    wait([each.pipe for each in running], max(0.0, soonest))
    for each in running:
        if each.pipe.poll():  # also results that arrived while another process was started
            each.receive()
        elif monotonic() > each.deadline:
            each.end_test()


class _Running:
    """One submission, and the process that is at it."""

    def __init__(self, task: Task, limits: Limits) -> None:
        self.task = task
        self.results: list[GradedTest] = []
        self.deadline = 0.0
        self._limits = limits
        self._began = monotonic()
        self._start()

    @property
    def finished(self) -> bool:
        return len(self.results) == len(self.task.tests)

    def _start(self) -> None:
        """A process for the tests that have no result yet."""
        before = monotonic()
        self._worker = Worker(_work, self.task, len(self.results))
        self._began += monotonic() - before
        self.pipe = self._worker.pipe
        self._note_time()

    def _note_time(self) -> None:
        self._test_began = monotonic()
        self.deadline = min(
            self._test_began + self._limits.test, self._began + self._limits.submission
        )

    def receive(self) -> None:
        try:
            self.results.append(self.pipe.recv())
        except (EOFError, OSError):
            self.stop()
            how = f"the grader's process ended with status {self._worker.exitcode}"
            self._note(_defect(self._test, how, monotonic() - self._test_began))
        self._note_time()
        if self.finished:
            self.stop()

    def end_test(self) -> None:
        """The test has taken too long."""
        self.stop()
        if monotonic() < self._began + self._limits.submission:
            when = f"the test did not end within {self._limits.test:g} s"
            self._note(_too_long(self._test, when, monotonic() - self._test_began))
            return
        when = f"all tests of a submission have {self._limits.submission:g} s, and they were over"
        for graded in self.task.tests[len(self.results) :]:
            self.results.append(_too_long(graded, when, 0.0))

    def _note(self, result: GradedTest) -> None:
        self.results.append(result)
        if not self.finished:
            self._start()

    @property
    def _test(self) -> Graded:
        return self.task.tests[len(self.results)]

    def stop(self) -> None:
        """Ends the process, and the student's."""
        self._worker.stop()


def _work(pipe: Connection, task: Task, start: int) -> None:
    """What the process does: the tests from ``start`` on, each result sent when it is there."""
    submission = find(task.lab).submission(task.files)
    for graded in task.tests[start:]:
        pipe.send(_result(graded, submission))
        gc.collect()  # machines, and messages that may be large, hang in cycles


def _result(graded: Graded, submission: Submission) -> GradedTest:
    began = monotonic()
    try:
        result = run(graded.test, submission)
    except Exception:
        return _defect(graded, traceback.format_exc(), monotonic() - began)
    if result.failure is None:
        return _told(graded, "passed", result.seconds)
    return _told(graded, "failed", result.seconds, _failure(result.failure))


def _failure(failure: Failure) -> FailureRecord:
    return FailureRecord(
        name=sanitize(failure.name, 80),
        when=sanitize(failure.when),
        lines=sanitize_lines(failure.lines),
        operations=[
            f"{operation}{_BY_REFERENCE * (number in failure.reference_steps)}"
            for number, operation in enumerate(failure.operations)
        ],
        replay=to_json(failure.operations),
        stood_in=sorted(failure.reference_steps),
    )


def _too_long(graded: Graded, when: str, seconds: float) -> GradedTest:
    return _told(graded, "failed", seconds, FailureRecord("too-long", when, []))


def _defect(graded: Graded, how: str, seconds: float) -> GradedTest:
    return _told(graded, "defect", seconds, defect=how[-4000:])


def _told(
    graded: Graded,
    status: Verdict,
    seconds: float,
    failure: FailureRecord | None = None,
    defect: str = "",
) -> GradedTest:
    test = graded.test
    return GradedTest(
        name=test.name,
        question=test.question,
        status=status,
        points=test.points if status == "passed" else 0,
        max_points=test.points,
        private=graded.private,
        seconds=round(seconds, 3),
        failure=failure,
        defect=defect,
    )
