"""How a machine is set up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kernel.config import Config
from kernel.mm.fork import POLICIES


@dataclass(frozen=True, slots=True)
class Options(Config):
    """The kernel's settings, and what the host gives; the command line's options in Python.

    TypeError or ValueError for an option that can't be.
    """

    timeout: float | None = None
    """Seconds after which all guests are ended."""
    environment: Mapping[str, str] = field(default_factory=dict)
    cwd: str | None = None
    """Initial directory of the guest; by default the host's current directory. With ``root`` a
    directory of the root, ``/`` by default."""
    root: str | None = None
    """The host folder that is the guest's ``/``."""
    read_only: Sequence[tuple[str, str]] = ()
    """(host folder or file, path in the guest)"""
    read_write: Sequence[tuple[str, str]] = ()
    """(host folder, path in the guest)"""

    def __post_init__(self) -> None:
        for name in ("memory", "max_processes", "fail_allocation"):
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
        if self.kernel_memory is not None and self.kernel_memory <= 0:
            raise ValueError("kernel_memory must be a positive number of bytes")
