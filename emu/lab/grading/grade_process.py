"""Grades several submissions at a time, each in a worker process that can be killed.

The student's code runs in a sandboxed child of that process (:mod:`emu.lab.host.student`). The
worker contains what the code can make the grader do: run long, exhaust memory, or raise. Only the
test in which that happens fails.
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
from emu.lab.grading.tasks import CourseTest, Task, make_record
from emu.lab.host.worker_process import Worker
from emu.lab.simulation.differential import Failure
from emu.lab.simulation.operations import to_json
from emu.lab.text.sanitize import sanitize, sanitize_lines
from emu.lab.workspace.catalogue import find

_BY_REFERENCE = "   (done by the reference)"


class Limits(NamedTuple):
    """Maximum times in seconds."""

    test: float = 60.0
    submission: float = 300.0
    """The remaining tests fail without being run when it is exceeded."""


def grade(
    tasks: Iterable[Task], jobs: int, limits: Limits
) -> Generator[tuple[Task, Record], None, None]:
    """Yields each task with its result, in the order of completion; runs ``jobs`` at a time."""
    source = iter(tasks)
    running: list[_GradingProcess] = []
    try:
        while True:
            while len(running) < jobs and (task := next(source, None)) is not None:
                if task.problem:
                    yield task, make_record(task, [])
                else:
                    running.append(_GradingProcess(task, limits))
            if not running:
                return
            _wait_for_results(running)
            for done in [each for each in running if each.finished]:
                running.remove(done)
                yield done.task, make_record(done.task, done.results)
    finally:
        for each in running:
            each.stop()


def _wait_for_results(running: list[_GradingProcess]) -> None:
    """Waits for a result or a deadline, and handles every one that is due."""
    soonest = min(each.deadline for each in running) - monotonic()
    wait([each.pipe for each in running], max(0.0, soonest))
    for each in running:
        if each.pipe.poll():  # also results that arrived while another process was started
            each.receive()
        elif monotonic() > each.deadline:
            each.end_test()


class _GradingProcess:
    """One submission and its worker process."""

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
        """Starts a process for the tests without a result."""
        before = monotonic()
        self._worker = Worker(_run_tests, self.task, len(self.results))
        self._began += monotonic() - before
        self.pipe = self._worker.pipe
        self._start_clock()

    def _start_clock(self) -> None:
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
            self._add_result(_defect(self._test, how, monotonic() - self._test_began))
        self._start_clock()
        if self.finished:
            self.stop()

    def end_test(self) -> None:
        """Fails the current test, or all remaining ones, after a deadline."""
        self.stop()
        if monotonic() < self._began + self._limits.submission:
            when = f"the test did not end within {self._limits.test:g} s"
            self._add_result(_too_long(self._test, when, monotonic() - self._test_began))
            return
        when = f"not run: the submission took more than {self._limits.submission:g} s"
        for graded in self.task.tests[len(self.results) :]:
            self.results.append(_too_long(graded, when, 0.0))

    def _add_result(self, result: GradedTest) -> None:
        self.results.append(result)
        if not self.finished:
            self._start()

    @property
    def _test(self) -> CourseTest:
        return self.task.tests[len(self.results)]

    def stop(self) -> None:
        """Kills the process and the student's."""
        self._worker.stop()


def _run_tests(pipe: Connection, task: Task, start: int) -> None:
    """Main function of the process: runs the tests from ``start`` on, and sends each result."""
    submission = find(task.lab).submission(task.files)
    for graded in task.tests[start:]:
        pipe.send(_run_test(graded, submission))
        gc.collect()  # machines and large messages are in reference cycles


def _run_test(graded: CourseTest, submission: Submission) -> GradedTest:
    began = monotonic()
    try:
        result = run(graded.test, submission)
    except Exception:
        return _defect(graded, traceback.format_exc(), monotonic() - began)
    if result.failure is None:
        return _graded_test(graded, "passed", result.seconds)
    return _graded_test(graded, "failed", result.seconds, _failure_record(result.failure))


def _failure_record(failure: Failure) -> FailureRecord:
    return FailureRecord(
        name=sanitize(failure.name, 80),
        when=sanitize(failure.when),
        lines=sanitize_lines(failure.lines),
        operations=[
            f"{operation}{_BY_REFERENCE * (number in failure.reference_steps)}"
            for number, operation in enumerate(failure.operations)
        ],
        replay=to_json(failure.operations),
        reference_steps=sorted(failure.reference_steps),
    )


def _too_long(graded: CourseTest, when: str, seconds: float) -> GradedTest:
    return _graded_test(graded, "failed", seconds, FailureRecord("too-long", when, []))


def _defect(graded: CourseTest, how: str, seconds: float) -> GradedTest:
    return _graded_test(graded, "defect", seconds, defect=how[-4000:])


def _graded_test(
    graded: CourseTest,
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
