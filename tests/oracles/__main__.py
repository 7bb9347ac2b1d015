"""``python -m tests.oracles``: compares with the oracles for a given time."""

from __future__ import annotations

import random
import sys

from kernel.mm.forking.fork import POLICIES
from tests.emu.machine import test_sv39_oracle as mmu
from tests.fuzzing import Fuzz, main
from tests.kernel.mm.test_model import Processes, ShortOfMemory, walk_at_random
from tests.oracles.programs import running

KERNEL_STEPS = 2_000
TABLES = 100


def translations(seed: int) -> None:
    generator, pair, tally = random.Random(seed), mmu.Pair(), mmu.Tally()
    for _ in range(TABLES):
        mmu.compare(pair, generator, tally)


def kernel_steps(seed: int) -> None:
    machine = (Processes, ShortOfMemory)[seed & 1]
    walk_at_random(machine, sorted(POLICIES)[(seed >> 1) % len(POLICIES)], str(seed), KERNEL_STEPS)


def programs(seed: int) -> None:
    what = running.compare(seed)
    if what is not None:
        raise AssertionError(what)


ORACLES = {
    "mmu": Fuzz("translations", TABLES * mmu.TRANSLATIONS, translations),
    "kernel": Fuzz("kernel operations", KERNEL_STEPS, kernel_steps),
    "programs": Fuzz("random programs", 1, programs),
}

if __name__ == "__main__":
    sys.exit(main("tests.oracles", ORACLES))
