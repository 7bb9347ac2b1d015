"""Violations of invariants, as values and as an exception."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kernel.check.memory_snapshot import MemorySnapshot
    from kernel.mm.address_space import AddressSpace


class Page(NamedTuple):
    """A page of a process: its address and its PTE."""

    space: AddressSpace
    va: int
    pte: int


@dataclass(frozen=True, slots=True)
class Broken:
    """The description of a violation, with the page or frame concerned, if it is one."""

    message: str
    page: Page | None = None
    frame: int | None = None


@dataclass(frozen=True, slots=True)
class Violation:
    """One violation of the invariant ``name``."""

    name: str
    broken: Broken

    @property
    def message(self) -> str:
        return self.broken.message

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"


class InvariantBroken(Exception):
    """The kernel's memory is not consistent."""

    def __init__(
        self, violations: list[Violation], when: str = "", memory: MemorySnapshot | None = None
    ) -> None:
        where = f" {when}" if when else ""
        shown = "\n  ".join(map(str, violations[:20]))
        super().__init__(f"the kernel's memory is not consistent{where}:\n  {shown}")
        self.violations = violations
        self.memory = memory
        self.when = when
