"""Are emu's counts those of the Linux under our feet: faults, smaps, limits, advice?

Each program asks the system after each step. It is run on this host and under emu; all lines that
differ must be in the table of known differences, and all entries of the table must differ.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from itertools import zip_longest

import pytest

from tests.oracles.linux.differences import DIFFERENCES
from tests.oracles.linux.running import PROGRAMS, by_emu, by_linux, needs_linux


def different_lines(linux: list[str], emu: list[str]) -> list[tuple[str, str]]:
    """(Linux's line, emu's line) wherever they differ; the programs print equally many."""
    pairs = zip_longest(linux, emu, fillvalue="(no line)")
    return [(theirs, ours) for theirs, ours in pairs if theirs != ours]


@pytest.mark.parametrize("program", PROGRAMS)
def test_counts_are_those_of_linux(program: str) -> None:
    needs_linux()
    run = by_emu(program)
    assert (run.status, run.errors) == (0, "")
    assert run.summary["frames_leaked"] == 0
    different = different_lines(by_linux(program), run.output.splitlines())
    known = DIFFERENCES.get(program, {})
    unknown = [
        f"Linux: {theirs}\nemu:   {ours}"
        for theirs, ours in different
        if not any(fnmatchcase(theirs, pattern) for pattern in known)
    ]
    assert not unknown, "\n" + "\n".join(unknown)
    equal = [
        pattern
        for pattern in known
        if not any(fnmatchcase(theirs, pattern) for theirs, _ in different)
    ]
    assert equal == [], "these entries of the table are no differences any more"


def test_the_table_names_programs_that_exist() -> None:
    assert set(DIFFERENCES) <= set(PROGRAMS)
