"""``python -m tests.hostile``: wild system calls and damaged files for as long as one likes."""

from __future__ import annotations

import sys

from tests.fuzzing import Fuzz, main
from tests.hostile import damaged_elf, wild

CALLS, FILES = 20_000, 200


def calls(seed: int) -> None:
    report = wild.run(seed, CALLS)
    if report.wrong:
        raise AssertionError("; ".join(report.wrong))


def files(seed: int) -> None:
    for number in range(FILES):
        damaged_elf.run(seed * FILES + number)


HOSTILE = {
    "calls": Fuzz("wild system calls", CALLS, calls),
    "elf": Fuzz("damaged ELF files", FILES, files),
}

if __name__ == "__main__":
    sys.exit(main("tests.hostile", HOSTILE))
