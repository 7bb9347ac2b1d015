"""Does each system call accept the flags and arguments that Linux accepts, and reject the others?

``python -m tests.oracles.calls`` records Linux's results; intended differences are in one table.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from tests.oracles.calls.differences import DIFFERENCES
from tests.oracles.calls.running import PROGRAMS, by_emu, recorded_results


def is_intended(line: str) -> bool:
    return any(fnmatchcase(line, pattern) for pattern in DIFFERENCES)


@pytest.mark.parametrize("program", PROGRAMS)
def test_calls_return_what_linux_returns(program: str) -> None:
    run = by_emu(program)
    assert (run.status, run.errors) == (0, "")
    expected = [line for line in recorded_results(program) if not is_intended(line)]
    assert [line for line in run.output.splitlines() if not is_intended(line)] == expected
    assert run.summary["frames_leaked"] == 0


def test_each_difference_matches_a_line() -> None:
    lines = [line for program in PROGRAMS for line in recorded_results(program)]
    unused = [
        pattern for pattern in DIFFERENCES if not any(fnmatchcase(line, pattern) for line in lines)
    ]
    assert unused == []
