"""Does each system call accept the flags and arguments that Linux accepts, and reject the others?

``python -m tests.oracles.calls`` records Linux's results; intended differences are in one table.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from tests.oracles.calls.differences import DIFFERENCES
from tests.oracles.calls.running import PROGRAMS, by_emu, kept


def meant(line: str) -> bool:
    return any(fnmatchcase(line, pattern) for pattern in DIFFERENCES)


@pytest.mark.parametrize("program", PROGRAMS)
def test_calls_are_answered_as_by_linux(program: str) -> None:
    run = by_emu(program)
    assert (run.status, run.errors) == (0, "")
    expected = [line for line in kept(program) if not meant(line)]
    assert [line for line in run.output.splitlines() if not meant(line)] == expected
    assert run.summary["frames_leaked"] == 0


def test_each_difference_is_one_of_some_line() -> None:
    lines = [line for program in PROGRAMS for line in kept(program)]
    unused = [
        pattern for pattern in DIFFERENCES if not any(fnmatchcase(line, pattern) for line in lines)
    ]
    assert unused == []
