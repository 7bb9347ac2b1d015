"""Resources that a process or thread has used (getrusage(2))."""

from __future__ import annotations

from dataclasses import dataclass

from kernel.base.cpu_time import CpuTime, Turn


@dataclass(slots=True)
class ResourceUsage:
    """Amounts at one time. ``resident_peak`` is in pages."""

    user_ns: int = 0
    system_ns: int = 0
    resident_peak: int = 0
    minor_faults: int = 0
    major_faults: int = 0
    voluntary_switches: int = 0
    involuntary_switches: int = 0

    def add(self, other: ResourceUsage) -> None:
        """Adds another process's: the sums, and the greater peak."""
        self.user_ns += other.user_ns
        self.system_ns += other.system_ns
        self.resident_peak = max(self.resident_peak, other.resident_peak)
        self.minor_faults += other.minor_faults
        self.major_faults += other.major_faults
        self.voluntary_switches += other.voluntary_switches
        self.involuntary_switches += other.involuntary_switches


class UsageCounters:
    """Counters of a process or thread. Page faults include the kernel's own in its memory; a major
    one had to wait for a disk.
    """

    __slots__ = ("cpu", "faults", "involuntary_switches", "major_faults", "voluntary_switches")

    def __init__(self, turn: Turn) -> None:
        self.cpu = CpuTime(turn)
        self.faults = self.major_faults = 0
        self.voluntary_switches = self.involuntary_switches = 0

    def usage(self, resident_peak: int) -> ResourceUsage:
        """Their present values."""
        user, system = self.cpu.split()
        return ResourceUsage(
            *(user, system, resident_peak, self.faults - self.major_faults, self.major_faults),
            *(self.voluntary_switches, self.involuntary_switches),
        )
