"""Mutants: programs made wrong by replacing one text of their source."""

from __future__ import annotations

from dataclasses import dataclass


def replace_once(source: str, old: str, new: str, name: str) -> str:
    """Replaces ``old``, which must occur exactly once in ``source``, by ``new``.

    Raises LookupError for any other count, so that a mutant that no longer fits its source is
    reported; ``name`` begins the message.
    """
    if (count := source.count(old)) != 1:
        raise LookupError(f"{name}: text occurs {count} times (expected once): {old}")
    return source.replace(old, new)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mistake that students make: in the reference solution ``new`` replaces ``old``."""

    name: str
    breaks: str
    """Description of the mistake, in one line."""
    old: str
    new: str
    detected_by: tuple[str, ...]
    """Names of tests, invariants or failures; one of them at least must detect the mutant."""
    points_range: tuple[int, int] | None = None
    """For a single slip: minimum and maximum of the points that a solution with it gets."""

    def apply(self, solution: str) -> str:
        """Source of the mutant. Raises LookupError unless ``old`` occurs exactly once."""
        return replace_once(solution, self.old, self.new, self.name)
