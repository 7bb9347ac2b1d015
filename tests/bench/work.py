"""A kind of work, and how much of it is done."""

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
    """Something that has a price, in one world or in all."""

    name: str
    unit: Unit = "ns"
    heavy: bool = False  # done in fewer rounds
    compared: bool = True  # the other worlds do it too
    policies: tuple[str, ...] = ()  # of fork, to do it with each; none is the default, unnamed
    mem: str = "1G"  # of emu's machine

    @abstractmethod
    def measure(self, world: World, size: Size, policy: str | None) -> Mapping[str, float]:
        """{row: value}; a row that this world has not is left out. Raises Failed."""
