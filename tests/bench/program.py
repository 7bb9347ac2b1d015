"""Work that is a C program which measures its own time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.bench.work import Size, Work
from tests.bench.worlds import Failed, World

Arguments = Mapping[Size, str]


@dataclass(frozen=True, kw_only=True)
class Program(Work):
    """``rows`` names the row of each figure that the program prints."""

    rows: Mapping[str, str]
    arguments: Arguments
    by_policy: Mapping[str, Arguments] = field(default_factory=dict)  # policies that do less work

    def measure(self, world: World, size: Size, policy: str | None) -> Mapping[str, float]:
        arguments = self.by_policy.get(policy or "", self.arguments)[size]
        figures = parse(world.run(self.name, *arguments.split()))
        return {self.rows[name]: value for name, value in figures.items()}


def parse(output: str) -> dict[str, float]:
    """Parses a program's output: lines of a name and nanoseconds."""
    figures = {}
    for line in output.splitlines():
        try:
            name, value = line.split()
            figures[name] = float(value)
        except ValueError as error:
            raise Failed(f"not a name and a number: {line[:80]}") from error
    return figures
