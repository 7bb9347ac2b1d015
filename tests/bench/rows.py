"""Measurements of one kind of work: a sample for each round, and ratios within the round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

from tests.bench.budget import GOALS, Goal

Unit = Literal["ns", "MiB", "x", "million/s"]


@dataclass(frozen=True)
class Spread:
    """Median, minimum and maximum of the rounds."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(median(values), min(values), max(values))


@dataclass
class Row:
    """One line of the result. A sample is {world: value} of one round."""

    name: str
    unit: Unit = "ns"
    samples: list[Mapping[str, float]] = field(default_factory=list)

    def value(self, world: str) -> Spread | None:
        values = [sample[world] for sample in self.samples if world in sample]
        return Spread.of(values) if values else None

    def ratio(self, against: str) -> Spread | None:
        """emu's value over another world's, both of the same round."""
        ratios = [
            sample["emu"] / sample[against]
            for sample in self.samples
            if sample.get(against) and "emu" in sample
        ]
        return Spread.of(ratios) if ratios else None

    @property
    def goal(self) -> Goal | None:
        return GOALS.get(self.name)

    @property
    def reaches_goal(self) -> bool | None:
        """True when the median meets the goal; None without a goal, or when one side is missing."""
        if self.goal is None:
            return None
        against = self.goal.against
        found = self.ratio(against) if against else self.value("emu")
        return None if found is None else found.median <= self.goal.at_most
