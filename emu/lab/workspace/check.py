"""``emu lab check``: runs the graded tests of a lab on a student's file, and reports each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from emu.errors import CommandError
from emu.lab.graded.submission import Result, Submission, Test, run
from emu.lab.host.failures import TimedOut
from emu.lab.simulation.differential import Failure
from emu.lab.simulation.operations import to_json
from emu.lab.text.sanitize import sanitize, sanitize_lines
from emu.lab.workspace.catalogue import Lab

_MAX_TOO_LONG = 2
"""Number of tests in which the code does not return, after which the check ends."""
_REPEATED_LINES = 2
"""Number of lines shown of a failure that was already reported."""


class NumberedTest(NamedTuple):
    """A test and its number in the lab, from 1."""

    number: int
    test: Test


class NoSuchTest(CommandError):
    """The lab has no test of that name or number."""

    def __init__(self, lab: Lab, name: str) -> None:
        names = ", ".join(test.name for test in lab.tests)
        super().__init__(f"lab {lab.name}: no test {name!r} (expected {names}, or a number)")


def select_tests(lab: Lab, name: str) -> list[NumberedTest]:
    """The test of that name or number; all if ``name`` is empty. Raises :class:`NoSuchTest`."""
    tests = [NumberedTest(number, test) for number, test in enumerate(lab.tests, 1)]
    if not name:
        return tests
    found = [each for each in tests if name in (each.test.name, str(each.number))]
    if not found:
        raise NoSuchTest(lab, name)
    return found


class Check:
    """Runs tests, and reports the result of each by ``emit``, line by line."""

    def __init__(self, lab: Lab, emit: Callable[[str], None]) -> None:
        self.lab = lab
        self.results: list[Result] = []
        self.replay_records: list[dict[str, Any]] = []
        """Failures in the form that ``emu lab replay`` reads."""
        self._emit = emit
        self._reported: dict[tuple[str, ...], int] = {}
        self._too_long = 0

    def run(self, submission: Submission, tests: Sequence[NumberedTest]) -> None:
        for number, test in tests:
            if self._too_long == _MAX_TOO_LONG:
                self._skip(number, test)
                continue
            result = run(test, submission)
            self.results.append(result)
            if result.failure is None:
                self._emit(f"ok    {number:>2}  {test.name:<28} {test.question}")
            else:
                self._report_failure(number, test, result.failure)
                self.replay_records.append(_replay_record(number, test, result.failure))
                self._too_long += result.failure.name == TimedOut.name

    def _skip(self, number: int, test: Test) -> None:
        reason = f"not run: {_MAX_TOO_LONG} earlier tests took too long"
        self.results.append(Result(test, Failure("not-run", reason, []), 0.0))
        self._emit(f"FAIL  {number:>2}  {test.name:<28} {reason}")

    def _report_failure(self, number: int, test: Test, failure: Failure) -> None:
        key = failure.cause or (failure.name, failure.when, *failure.lines)
        first = self._reported.setdefault(key, number)
        self._emit(f"FAIL  {number:>2}  {test.name:<28} {test.question}")
        self._emit(f"  {sanitize(failure.name, 80)}   {sanitize(failure.when)}")
        lines = sanitize_lines(failure.lines)
        if first != number:
            lines = [*lines[:_REPEATED_LINES], f"same as test {first}"]
        for line in lines:
            self._emit(f"    {line}")
        if failure.reference_steps:
            self._emit(f"    {reference_steps_text(failure)}")
        if failure.operations:
            self._emit(f"    replay up to this point:  emu lab replay {number}")
        else:
            self._emit(f"    run again:  emu lab check {number}")

    def summary(self) -> str:
        passed = sum(result.passed for result in self.results)
        points = sum(result.points for result in self.results)
        most = sum(result.test.points for result in self.results)
        return f"{passed} of {len(self.results)} tests passed: {points} of {most} points"

    @property
    def passed(self) -> bool:
        return all(result.passed for result in self.results)


def reference_steps_text(failure: Failure) -> str:
    """Lists the operations that the reference executed, numbered from 1."""
    count = len(failure.operations)
    done = [number + 1 for number in sorted(failure.reference_steps) if number < count]
    which = ", ".join(map(str, done))
    return (
        f"the reference executed operation{'s' * (len(done) != 1)} {which} of {count}: "
        "your code fails there, and other tests check it"
    )


def _replay_record(number: int, test: Test, failure: Failure) -> dict[str, Any]:
    return {
        "number": number,
        "test": test.name,
        "name": failure.name,
        "policy": failure.policy,
        "frames": failure.frames,
        "operations": to_json(failure.operations),
        "reference_steps": sorted(failure.reference_steps),
    }
