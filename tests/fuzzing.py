"""Runs random tests with consecutive seeds, for a given time or count.

A failure prints the seed and the command that repeats it.
"""

from __future__ import annotations

import argparse
import random
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Fuzz:
    unit: str
    each: int
    """Number of units that one seed runs."""
    run: Callable[[int], None]
    """Raises when something is wrong with a seed."""


def main(package: str, fuzzes: Mapping[str, Fuzz]) -> int:
    """Runs the command ``python -m PACKAGE``; returns its exit status."""
    parser = argparse.ArgumentParser(prog=f"python -m {package}", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="|".join(fuzzes), help="default: all")
    parser.add_argument("--seconds", type=float, default=60, help="for each (default 60)")
    parser.add_argument("--count", type=int, help="number of units, instead of --seconds")
    parser.add_argument("--seed", type=int, help="the first seed (default: random)")
    given = parser.parse_args()
    names = given.names or list(fuzzes)
    if not set(names) <= set(fuzzes):
        parser.error(f"unknown name (expected {', '.join(fuzzes)})")
    fresh = random.SystemRandom().randrange(1 << 32)
    first = fresh if given.seed is None else given.seed
    passed = [_run(package, name, fuzzes[name], first, _goal(given)) for name in names]
    return 0 if all(passed) else 1


def _goal(given: argparse.Namespace) -> Callable[[int], bool]:
    """Returns a test whether a number of units is enough."""
    if given.count is not None:
        return lambda done: done >= given.count
    end = time.monotonic() + given.seconds
    return lambda done: done > 0 and time.monotonic() >= end


def _run(package: str, name: str, fuzz: Fuzz, seed: int, enough: Callable[[int], bool]) -> bool:
    """Runs consecutive seeds; returns False at the first failure."""
    done = 0
    while not enough(done):
        try:
            fuzz.run(seed)
        except KeyboardInterrupt:
            break
        except Exception:
            traceback.print_exc()
            print(f"{name}: seed {seed} fails after {done:,} {fuzz.unit}; to repeat it:")
            print(f"    .venv/bin/python -m {package} {name} --seed {seed} --count 1")
            return False
        done += fuzz.each
        seed += 1
    print(f"{name}: {done:,} {fuzz.unit}, no failure; the next seed is {seed}", flush=True)
    return True
