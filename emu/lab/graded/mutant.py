"""A wrong solution: the reference with a mistake that students make, or a way to cheat."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WrongSolution:
    """In the reference solution ``new`` replaces ``old``.

    ``caught`` has the names by which it may be told: of tests, invariants or failures.
    """

    name: str
    breaks: str
    """What is wrong, in a line."""
    old: str
    new: str
    caught: tuple[str, ...]
    left: tuple[int, int] | None = None
    """For a single slip: the minimum and maximum of points that a solution with it keeps."""

    def apply(self, solution: str) -> str:
        """``old`` must be there exactly once, so one that no longer fits is an error."""
        if solution.count(self.old) != 1:
            raise LookupError(f"{self.name}: {solution.count(self.old)} times: {self.old}")
        return solution.replace(self.old, self.new)
