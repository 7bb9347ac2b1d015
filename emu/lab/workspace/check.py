"""``emu lab check``: the graded tests of a lab on a student's file, told as they go."""

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

_MOST_TOO_LONG = 2
"""So many tests may end because the code does not return; the rest would take minutes."""


_FEW = 2
"""Number of lines shown of a failure that was already reported."""


class Numbered(NamedTuple):
    """A test and its number in the lab, by which it can be asked for."""

    number: int
    test: Test


class NoSuchTest(CommandError):
    """The lab has no test of that name or number."""

    def __init__(self, lab: Lab, name: str) -> None:
        names = ", ".join(test.name for test in lab.tests)
        super().__init__(f"lab {lab.name} has no test {name!r}; there are {names}")


def numbered(lab: Lab, wanted: str) -> list[Numbered]:
    """The lab's tests, or the one of that name or number. Raises :class:`NoSuchTest`."""
    tests = [Numbered(number, test) for number, test in enumerate(lab.tests, 1)]
    if not wanted:
        return tests
    found = [each for each in tests if wanted in (each.test.name, str(each.number))]
    if not found:
        raise NoSuchTest(lab, wanted)
    return found


class Check:
    """Runs tests, and says what came of each by ``say``."""

    def __init__(self, lab: Lab, say: Callable[[str], None]) -> None:
        self.lab = lab
        self.results: list[Result] = []
        self.kept: list[dict[str, Any]] = []
        """What ``emu lab replay`` needs of each failure."""
        self._say = say
        self._told: dict[tuple[str, ...], int] = {}
        self._too_long = 0

    def run(self, submission: Submission, tests: Sequence[Numbered]) -> None:
        for number, test in tests:
            if self._too_long == _MOST_TOO_LONG:
                self._leave_out(number, test)
                continue
            result = run(test, submission)
            self.results.append(result)
            if result.failure is None:
                self._say(f"ok    {number:>2}  {test.name:<28} {test.question}")
            else:
                self._tell(number, test, result.failure)
                self.kept.append(_as_kept(number, test, result.failure))
                self._too_long += result.failure.name == TimedOut.name

    def _leave_out(self, number: int, test: Test) -> None:
        why = f"not run: {_MOST_TOO_LONG} tests before it took too long"
        self.results.append(Result(test, Failure("not-run", why, []), 0.0))
        self._say(f"FAIL  {number:>2}  {test.name:<28} {why}")

    def _tell(self, number: int, test: Test, failure: Failure) -> None:
        key = failure.cause or (failure.name, failure.when, *failure.lines)
        first = self._told.setdefault(key, number)
        self._say(f"FAIL  {number:>2}  {test.name:<28} {test.question}")
        self._say(f"  {sanitize(failure.name, 80)}   {sanitize(failure.when)}")
        lines = sanitize_lines(failure.lines)
        if first != number:
            lines = [*lines[:_FEW], f"as in test {first}"]
        for line in lines:
            self._say(f"    {line}")
        if failure.reference_steps:
            self._say(f"    {stood_in_text(failure)}")
        again = f"emu lab replay {number}" if failure.operations else f"emu lab check {number}"
        self._say(f"    again{', up to this point' if failure.operations else ''}:  {again}")

    def summary(self) -> str:
        passed = sum(result.passed for result in self.results)
        points = sum(result.points for result in self.results)
        most = sum(result.test.points for result in self.results)
        return f"{passed} of {len(self.results)} tests passed: {points} of {most} points"

    @property
    def passed(self) -> bool:
        return all(result.passed for result in self.results)


def stood_in_text(failure: Failure) -> str:
    """Names the operations that the reference did, numbered from 1."""
    done = [
        number + 1 for number in sorted(failure.reference_steps) if number < len(failure.operations)
    ]
    which = ", ".join(map(str, done))
    return (
        f"the reference did operation{'s' * (len(done) != 1)} {which} of {len(failure.operations)}:"
        " your code fails there, which other tests ask about"
    )


def _as_kept(number: int, test: Test, failure: Failure) -> dict[str, Any]:
    return {
        "number": number,
        "test": test.name,
        "name": failure.name,
        "policy": failure.policy,
        "frames": failure.frames,
        "operations": to_json(failure.operations),
        "stood_in": sorted(failure.reference_steps),
    }
