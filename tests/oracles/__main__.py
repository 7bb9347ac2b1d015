"""``python -m tests.oracles``: compares with the oracles for as long as one likes.

Each oracle goes through seeds, beginning with a fresh one, until its seconds or its count are over.
A failure prints the seed and the command that repeats it.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from tests.kernel.test_model import Processes, ShortOfMemory, walk_at_random
from tests.machine import test_sv39_oracle as mmu
from tests.oracles.programs import running

KERNEL_STEPS = 2_000
TABLES = 100


@dataclass(frozen=True)
class Oracle:
    unit: str
    each: int
    """How many units one seed is."""
    run: Callable[[int], None]


def translations(seed: int) -> None:
    generator, pair, tally = random.Random(seed), mmu.Pair(), mmu.Tally()
    for _ in range(TABLES):
        mmu.compare(pair, generator, tally)


def kernel_steps(seed: int) -> None:
    machine = (Processes, ShortOfMemory)[seed & 1]
    walk_at_random(machine, ("cow", "eager")[seed >> 1 & 1], str(seed), KERNEL_STEPS)


def programs(seed: int) -> None:
    what = running.compare(seed)
    if what is not None:
        raise AssertionError(what)


ORACLES = {
    "mmu": Oracle("translations", TABLES * mmu.TRANSLATIONS, translations),
    "kernel": Oracle("kernel operations", KERNEL_STEPS, kernel_steps),
    "programs": Oracle("random programs", 1, programs),
}


def fuzz(name: str, seed: int, seconds: float, count: int | None) -> bool:
    """Whether all went well."""
    oracle, done = ORACLES[name], 0
    end = time.monotonic() + seconds
    while done < count if count is not None else not done or time.monotonic() < end:
        try:
            oracle.run(seed)
        except Exception:
            traceback.print_exc()
            print(f"{name}: seed {seed} fails after {done} {oracle.unit}; to repeat it:")
            print(f"    .venv/bin/python -m tests.oracles {name} --seed {seed} --count 1")
            return False
        except KeyboardInterrupt:
            break
        done += oracle.each
        seed += 1
    print(f"{name}: {done} {oracle.unit}, all alike; the next seed is {seed}", flush=True)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.oracles", description=__doc__)
    parser.add_argument("oracles", nargs="*", metavar="|".join(ORACLES), help="default: all")
    parser.add_argument("--seconds", type=float, default=60, help="for each oracle (default 60)")
    parser.add_argument("--count", type=int, help="translations, operations, programs instead")
    parser.add_argument("--seed", type=int, help="the first seed, instead of a fresh one")
    given = parser.parse_args()
    names = given.oracles or list(ORACLES)
    if not set(names) <= set(ORACLES):
        parser.error(f"oracles are {', '.join(ORACLES)}")
    fresh = random.SystemRandom().randrange(1 << 32)
    seed = fresh if given.seed is None else given.seed
    well = [fuzz(name, seed, given.seconds, given.count) for name in names]
    return 0 if all(well) else 1


if __name__ == "__main__":
    sys.exit(main())
