"""Text of a result for the student: the failures, and only the number of private tests."""

from __future__ import annotations

from emu.lab.grading.reports.record import FailureRecord, GradedTest, Record

_MARKS = {"passed": "ok    ", "failed": "FAIL  ", "defect": "DEFECT"}


def text(record: Record) -> bytes:
    shown = [test for test in record.tests if not test.private]
    lines = [f"{record.submission}   {record.lab}".rstrip(), *_score(record, shown), ""]
    for test in shown:
        lines += _test(test)
    if hidden := len(record.tests) - len(shown):
        lines += ["", f"{hidden} private test{'s' * (hidden != 1)}: shown after the due date"]
    return ("\n".join(lines) + "\n").encode()


def _score(record: Record, shown: list[GradedTest]) -> list[str]:
    if record.problem:
        return [f"not graded: {record.problem}"]
    points, most = sum(test.points for test in shown), sum(test.max_points for test in shown)
    return [f"{points} of {most} points"]


def _test(test: GradedTest) -> list[str]:
    lines = [f"{_MARKS[test.status]}  {test.name}  {test.points}/{test.max_points}"]
    if test.failure is not None:
        lines += [f"          {line}" for line in [test.question, *failure_text(test.failure)]]
    elif test.status == "defect":
        lines += [f"          {line}" for line in defect_text()]
    return lines


def failure_text(failure: FailureRecord) -> list[str]:
    """Lines of the report of a failure."""
    lines = [f"{failure.name}   {failure.when}", *(f"  {line}" for line in failure.lines)]
    if failure.operations:
        lines += ["operations:", *(f"  {operation}" for operation in failure.operations)]
    return lines


def defect_text() -> list[str]:
    return ["Defect of the grader, not an error in your code. Please inform your instructor."]
