"""Runs the rounds: all work once in every world, then all again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from tests.bench.rows import Row
from tests.bench.work import Size, Work
from tests.bench.worlds import Failed, World, emu, pure


@dataclass
class Result:
    """Rows in the order of the works, failures, and the duration of each work's last round."""

    rows: dict[str, Row] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    rounds: int = 0

    def add(self, work: Work, name: str, sample: Mapping[str, float]) -> None:
        self.rows.setdefault(name, Row(name, work.unit)).samples.append(sample)


def run(
    works: Sequence[Work],
    others: Sequence[World],
    size: Size,
    rounds: int,
    patience: float,
    progress: Callable[[str], None],
) -> Result:
    """At most this many rounds; after the first, none that would end after ``patience`` seconds.

    Work that fails is reported and omitted.
    """
    result = Result()
    began = perf_counter()
    for number in range(1, rounds + 1):
        due = [work for work in works if number <= rounds_of(work, size, rounds)]
        ahead = sum(result.seconds.get(work.name, 0) for work in due)
        if number > 1 and perf_counter() - began + ahead > patience:
            break
        for work in due:
            progress(f"round {number} of {rounds}: {work.name}")
            start = perf_counter()
            _measure(work, others, size, result)
            result.seconds[work.name] = perf_counter() - start
        result.rounds = number
    return result


def rounds_of(work: Work, size: Size, rounds: int) -> int:
    """Number of rounds: half for heavy work; one with QUICK."""
    if not work.heavy:
        return rounds
    return (rounds + 1) // 2 if size is Size.FULL else 1


def _measure(work: Work, others: Sequence[World], size: Size, result: Result) -> None:
    """One round of one work: the other worlds once, emu twice with each fork policy."""
    elsewhere = {
        world.name: _try(work, world, size, None, result)
        for world in (others if work.compared else ())
    }
    for policy in work.policies or (None,):
        options = ("--fork-policy", policy) if policy else ()
        options = ("--mem", work.mem, *options)
        own = _try(work, emu(options), size, policy, result)
        sources = _try(work, pure(options), size, policy, result) if work.compared else {}
        for name, value in own.items():
            sample = {"emu": value}
            every = {"pure": sources, **elsewhere}
            sample |= {world: got[name] for world, got in every.items() if name in got}
            result.add(work, f"{name}, {policy}" if policy else name, sample)


def _try(
    work: Work, world: World, size: Size, policy: str | None, result: Result
) -> Mapping[str, float]:
    try:
        return work.measure(world, size, policy)
    except Failed as error:
        result.failures.append(
            " ".join(filter(None, [work.name, world.name, policy])) + f": {error}"
        )
        return {}
