"""Text of the table of a lab's wrong solutions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from emu.lab.mutants.results import Table, Verdict


def row(verdict: Verdict, numbers: dict[str, int]) -> str:
    """Name of a wrong solution, and its findings with the ``numbers`` of the tests that fail."""
    if verdict.survived:
        return f"{verdict.wrong.name:<24} SURVIVES: {verdict.wrong.breaks}"
    by_finding = defaultdict(list)
    for test, finding in verdict.findings.items():
        by_finding[finding].append(numbers[test])
    findings = "; ".join(f"{finding} ({_ranges(tests)})" for finding, tests in by_finding.items())
    return f"{verdict.wrong.name:<24} {findings}"


def _ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers as text, for example ``1-4, 7``."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and parts[-1][-1] == number - 1:
            parts[-1][1:] = [number]
        else:
            parts.append([number])
    return ", ".join("-".join(map(str, part)) for part in parts)


def numbers_of(tests: Sequence[str]) -> dict[str, int]:
    return {test: number for number, test in enumerate(tests, 1)}


def lines(table: Table) -> Iterator[str]:
    """Lines of the whole table and its summary."""
    names = [test.name for test in table.tests]
    numbers = numbers_of(names)
    yield from (f"{number:>3}  {name}" for name, number in numbers.items())
    yield from (
        f"  -  {each.name}: invalid: {each.invalid}" for each in table.student_tests if each.invalid
    )
    yield ""
    yield f"{'wrong solution':<24} detected by (tests)"
    yield from (row(verdict, numbers) for verdict in table.verdicts)
    yield ""
    yield from summary(table)


def summary(table: Table) -> Iterator[str]:
    """Unexpected results, and the number of wrong solutions that are detected."""
    detected = [verdict for verdict in table.verdicts if not verdict.survived]
    if table.student_tests:
        valid = sum(each.test is not None for each in table.student_tests)
        yield f"{valid} of {len(table.student_tests)} tests are valid: the reference passes them"
    else:
        for verdict in detected:
            if not verdict.as_expected:
                expected = ", ".join(verdict.wrong.detected_by)
                yield f"{verdict.wrong.name} is detected, but not by {expected}"
        yield from _tests_without_findings(table)
    count = len(table.verdicts)
    percent = 100 * len(detected) // max(count, 1)
    yield f"{len(detected)} of {count} wrong solutions are detected: {percent} %"


def _tests_without_findings(table: Table) -> Iterator[str]:
    effective = {test for verdict in table.verdicts for test in verdict.findings}
    for test in table.tests:
        if test.name not in effective:
            yield f"{test.name} detects no wrong solution"
