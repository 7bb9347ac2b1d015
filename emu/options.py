"""Options of a machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from emu.machine.pte import HUGE_SIZE
from kernel.config import Config
from kernel.mm.faults.fault_around import is_window
from kernel.mm.forking.fork import POLICIES
from kernel.mm.mappings.huge_policy import Thp, ThpCow


@dataclass(frozen=True, slots=True)
class Options(Config):
    """The command line's options in Python: the kernel's configuration and the view of the host.

    Raises TypeError or ValueError for an invalid option.
    """

    timeout: float | None = None
    """Time limit in seconds, after which all guests are ended; None for no limit."""
    environment: Mapping[str, str] = field(default_factory=dict)
    cwd: str | None = None
    """Initial directory of the guest: by default the host's current directory; with ``root`` a
    directory in the root, by default ``/``."""
    root: str | None = None
    """Host directory that is the guest's ``/``."""
    read_only: Sequence[tuple[str, str]] = ()
    """Pairs of a host directory or file and its path in the guest."""
    read_write: Sequence[tuple[str, str]] = ()
    """Pairs of a host directory and its path in the guest."""

    user: tuple[int, int] | None = None
    """User and group ID of the guest's first process; None for those of the host's user."""
    publish: Sequence[tuple[str, int, int]] = ()
    """TCP ports of the guest at which programs of the host connect: the address and the port of the
    host, 0 for any, and the port of the guest."""

    def __post_init__(self) -> None:
        for name in ("memory", "fault_around", "hugetlb", "max_processes", "fail_allocation"):
            if not isinstance(getattr(self, name), int):
                raise TypeError(f"{name} must be a number, not {getattr(self, name)!r}")
        if self.kernel_memory is not None and not isinstance(self.kernel_memory, int):
            raise TypeError(f"kernel_memory must be a number, not {self.kernel_memory!r}")
        if self.timeout is not None and not isinstance(self.timeout, int | float):
            raise TypeError(f"timeout must be a number of seconds, not {self.timeout!r}")
        if self.fork_policy not in POLICIES:
            raise ValueError(f"fork_policy must be one of {', '.join(POLICIES)}")
        if self.memory <= 0 or self.memory % 4096:
            raise ValueError("memory must be a positive multiple of 4,096 bytes")
        for name, kind in (("thp", Thp), ("thp_cow", ThpCow)):
            if getattr(self, name) not in list(kind):
                raise ValueError(f"{name} must be one of {', '.join(kind)}")
        if not is_window(self.fault_around):
            raise ValueError("fault_around must be a power of two from 4,096 to 2,097,152 bytes")
        if self.hugetlb < 0 or (self.hugetlb and (self.hugetlb + 1) * HUGE_SIZE > self.memory):
            raise ValueError("hugetlb: the huge pages, of 2 MiB each, do not fit in the memory")
        if self.kernel_memory is not None and self.kernel_memory <= 0:
            raise ValueError("kernel_memory must be a positive number of bytes")
