"""Figures of a process's memory that /proc shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class MemoryFigures(NamedTuple):
    """Sizes in pages (proc_pid_status(5)). The zero page counts in none of the resident ones."""

    virtual: int = 0
    virtual_peak: int = 0
    anonymous: int = 0
    file: int = 0
    shmem: int = 0
    resident_peak: int = 0
    data: int = 0
    stack: int = 0
    code: int = 0
    libraries: int = 0
    tables: int = 0
    locked: int = 0
    hugetlb: int = 0
    """Mapped pages of the pool for MAP_HUGETLB, which are not resident ones."""

    @property
    def resident(self) -> int:
        return self.anonymous + self.file + self.shmem


class MachineMemory(NamedTuple):
    """Frames of the machine by their use, for /proc/meminfo, vmstat and zoneinfo."""

    total: int = 0
    free: int = 0
    anonymous: int = 0
    cached: int = 0
    """Pages of files and of shared memory."""
    shmem: int = 0
    mapped: int = 0
    """Those of ``cached`` that a process maps."""
    tables: int = 0
    pool: int = 0
    """Huge pages of the pool for MAP_HUGETLB; of these the unused, of them the reserved."""
    pool_free: int = 0
    pool_reserved: int = 0
    huge: int = 0
    """Those of ``anonymous`` that a huge page maps."""


@dataclass(slots=True)
class HugeEvents:
    """Numbers of events of transparent huge pages, named ``thp_`` in /proc/vmstat."""

    mapped: int = 0
    """Huge pages that faults allocated."""
    fallbacks: int = 0
    """Faults for which there was no run of frames."""
    zeroes: int = 0
    """Allocations of the huge zero page."""
    collapsed: int = 0
    collapse_copies: int = 0
    """Pages with other users that were copied for ``collapsed``."""
    split: int = 0
    """Huge pages of an address space that became 512 PTEs."""


@dataclass(frozen=True, slots=True)
class Activity:
    """Counters since the start of the machine."""

    user_ns: int = 0
    system_ns: int = 0
    switches: int = 0
    processes: int = 0
    faults: int = 0
    major_faults: int = 0
    reused: int = 0
    allocated: int = 0
    freed: int = 0
    huge: HugeEvents = field(default_factory=HugeEvents)
