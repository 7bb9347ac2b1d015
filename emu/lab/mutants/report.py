"""The table of a lab's wrong solutions, as text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from emu.lab.mutants.results import Table, Verdict


def row(verdict: Verdict, numbers: dict[str, int]) -> str:
    """A mutant, and by what which tests (by their numbers) told it."""
    if verdict.survived:
        return f"{verdict.mutant.name:<24} SURVIVES: {verdict.mutant.breaks}"
    by_finding = defaultdict(list)
    for test, finding in verdict.caught.items():
        by_finding[finding].append(numbers[test])
    told = "; ".join(f"{finding} ({_ranges(tests)})" for finding, tests in by_finding.items())
    return f"{verdict.mutant.name:<24} {told}"


def _ranges(numbers: Sequence[int]) -> str:
    """Numbers in their order, such as ``1-4, 7``."""
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
    """The whole table, and what it comes to."""
    names = [test.name for test in table.tests]
    numbers = numbers_of(names)
    yield from (f"{number:>3}  {name}" for name, number in numbers.items())
    yield from (
        f"  -  {each.name}: invalid: {each.invalid}" for each in table.written if each.invalid
    )
    yield ""
    yield f"{'wrong solution':<24} told by (tests)"
    yield from (row(verdict, numbers) for verdict in table.verdicts)
    yield ""
    yield from summary(table)


def summary(table: Table) -> Iterator[str]:
    """What the table comes to, in a few lines."""
    told = [verdict for verdict in table.verdicts if not verdict.survived]
    if table.written:
        valid = sum(each.test is not None for each in table.written)
        yield f"{valid} of {len(table.written)} tests are valid: the reference passes them"
    else:
        for verdict in told:
            if not verdict.as_expected:
                expected = ", ".join(verdict.mutant.caught)
                yield f"{verdict.mutant.name} is told, but not by {expected}"
        yield from _idle(table)
    count = len(table.verdicts)
    yield f"{len(told)} of {count} wrong solutions are told: {100 * len(told) // max(count, 1)} %"


def _idle(table: Table) -> Iterator[str]:
    """Tests that tell nobody."""
    busy = {test for verdict in table.verdicts for test in verdict.caught}
    for test in table.tests:
        if test.name not in busy:
            yield f"{test.name} tells no wrong solution"
