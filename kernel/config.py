"""Configuration of a kernel."""

from __future__ import annotations

from dataclasses import dataclass

from kernel.mm.faults.fault_around import DEFAULT_SIZE
from kernel.mm.mappings.huge_policy import Thp, ThpCow


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of one machine, fixed at its start."""

    memory: int = 1 << 30
    """Bytes of physical memory, whole pages; taken from the host only as they are used."""
    kernel_memory: int | None = None
    """Maximum bytes of host memory for the kernel's objects of guests, apart from the frames;
    by default a quarter of ``memory``, at least 16 MiB."""
    fork_policy: str = "cow"
    """A key of :data:`kernel.mm.forking.fork.POLICIES`."""
    fault_around: int = DEFAULT_SIZE
    """Bytes of the window that a read fault on cached pages maps: a power of two from one page to
    2 MiB; one page for the page alone (Linux's fault_around_bytes)."""
    thp: str = Thp.MADVISE
    """Mappings that get transparent huge pages: a value of
    :class:`kernel.mm.mappings.huge_policy.Thp`."""
    thp_cow: str = ThpCow.PAGE
    """Size of the copy for a store to a shared huge page: a value of
    :class:`kernel.mm.mappings.huge_policy.ThpCow`."""
    hugetlb: int = 0
    """Number of huge pages of 2 MiB in the pool for MAP_HUGETLB (vm.nr_hugepages)."""
    max_processes: int = 4096
    deterministic: bool = False
    """Use a virtual clock and a fixed random seed, so that a run can be repeated."""
    exit_with_main: bool = False
    """Kill all other processes when the first one ends, instead of waiting for them."""
    fail_allocation: int = 0
    """Number of the frame allocation that fails; 0 for none."""
    expose_frames: bool = False
    """Show frame numbers in /proc/PID/pagemap, as Linux does to a privileged reader."""
    check: bool = False
    """Check the invariants of the kernel's memory before every return to a program."""
