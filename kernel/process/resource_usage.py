"""Resources that a process or thread has used (getrusage(2))."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Switches:
    """Numbers of context switches: because it waited, or because its turn was over."""

    voluntary: int = 0
    involuntary: int = 0


@dataclass(slots=True)
class ResourceUsage:
    """``resident_peak`` is in pages."""

    cpu_ns: int = 0
    resident_peak: int = 0
    faults: int = 0
    voluntary_switches: int = 0
    involuntary_switches: int = 0

    def add(self, other: ResourceUsage) -> None:
        """Adds another process's: the sums, and the greater peak."""
        self.cpu_ns += other.cpu_ns
        self.resident_peak = max(self.resident_peak, other.resident_peak)
        self.faults += other.faults
        self.voluntary_switches += other.voluntary_switches
        self.involuntary_switches += other.involuntary_switches
