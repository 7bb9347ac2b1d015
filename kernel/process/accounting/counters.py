"""Counters of a run, always on."""

from __future__ import annotations

from dataclasses import dataclass, field

from emu.machine.pte import HUGE_FRAMES
from kernel.mm.forking.fork_cost import ForkCost
from kernel.mm.outcome import Outcome
from kernel.mm.resolution import Resolution


def _zeroes() -> list[int]:
    return [0] * len(Outcome)


@dataclass(slots=True)
class Stats:
    """Counters of all processes since the start of the machine."""

    processes: int = 0
    forks: int = 0
    _faults: list[int] = field(default_factory=_zeroes)
    major_faults: int = 0
    """Faults that waited for the host's disk."""
    frames_copied: int = 0
    """Frames copied because fork shares memory: at the store (cow), or at the fork (eager)."""
    frames_copied_at_forks: int = 0
    """Those that forks copied at once."""
    frames_reused: int = 0
    eager_frames_copied: int = 0
    """Frames that an eager fork would have copied."""
    tables_shared: int = 0
    """Leaf page tables that a fork shared instead of copying them."""
    tables_copied: int = 0
    """Shared leaf tables that a page fault had to copy."""
    middle_tables_shared: int = 0
    """Middle page tables that a fork shared, each with all of its leaf tables."""
    middle_tables_copied: int = 0
    """Shared middle tables that a page fault had to copy."""
    ptes_written: int = 0
    """Page-table entries that forks and page faults wrote."""
    mapped_around: int = 0
    """Pages that read faults mapped beside their own (fault-around)."""
    huge_mapped: int = 0
    """Huge pages that faults allocated, those of the pool included."""
    calls: int = 0

    @property
    def faults(self) -> dict[Outcome, int]:
        """Number of page faults with each outcome."""
        return dict(zip(Outcome, self._faults, strict=True))

    def fault(self, resolution: Resolution) -> None:
        outcome = resolution.outcome
        number = outcome.number
        self._faults[number] += 1
        self.tables_copied += resolution.table_copied
        self.middle_tables_copied += resolution.middle_copied
        self.ptes_written += resolution.pte_before != resolution.pte_after
        if resolution.split:
            self.ptes_written += HUGE_FRAMES
        if resolution.around:
            self.mapped_around += len(resolution.around)
            self.ptes_written += len(resolution.around)
        if resolution.huge and outcome in (Outcome.ZERO_FILLED, Outcome.COPIED):
            self.huge_mapped += 1
        if outcome is Outcome.COPIED:
            self.frames_copied += HUGE_FRAMES if resolution.huge else 1
        elif outcome is Outcome.REUSED:
            self.frames_reused += HUGE_FRAMES if resolution.huge else 1

    def fork(self, cost: ForkCost) -> None:
        self.forks += 1
        self.frames_copied += cost.frames_copied
        self.frames_copied_at_forks += cost.frames_copied
        self.eager_frames_copied += cost.eager_copies
        self.tables_shared += cost.tables_shared
        self.middle_tables_shared += cost.middles_shared
        self.ptes_written += cost.ptes_written
