"""``python -m tests.hostile``: runs random system calls, damaged files and damaged traces."""

from __future__ import annotations

import sys

from tests.fuzzing import Fuzz, main
from tests.hostile import damaged_elf, damaged_trace, wild

CALLS, FILES, TRACES = 20_000, 200, 20


def calls(seed: int) -> None:
    report = wild.run(seed, CALLS)
    if report.wrong:
        raise AssertionError("; ".join(report.wrong))


def files(seed: int) -> None:
    for number in range(FILES):
        damaged_elf.run(seed * FILES + number)


def traces(seed: int) -> None:
    for number in range(TRACES):
        damaged_trace.run(seed * TRACES + number)


HOSTILE = {
    "calls": Fuzz("wild system calls", CALLS, calls),
    "elf": Fuzz("damaged ELF files", FILES, files),
    "traces": Fuzz("damaged traces", TRACES, traces),
}

if __name__ == "__main__":
    sys.exit(main("tests.hostile", HOSTILE))
