"""A kind of work, and its size."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tests.bench.rows import Unit
from tests.bench.worlds import World


class Size(StrEnum):
    FULL = "full"
    QUICK = "quick"
    TINY = "tiny"  # for the tests: only that it works


@dataclass(frozen=True, kw_only=True)
class Work(ABC):
    """Work whose cost is measured, in one world or in all."""

    name: str
    unit: Unit = "ns"
    heavy: bool = False  # done in fewer rounds
    compared: bool = True  # the other worlds do it too
    policies: tuple[str, ...] = ()  # of fork, to do it with each; none is the default, unnamed
    mem: str = "1G"  # of emu's machine

    @abstractmethod
    def measure(self, world: World, size: Size, policy: str | None) -> Mapping[str, float]:
        """{row: value}; a row that this world lacks is omitted. Raises Failed."""
