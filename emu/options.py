"""How a machine is set up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kernel.fork import POLICIES


@dataclass(frozen=True, slots=True)
class Options:
    """How a machine is set up; the command line's options in Python."""

    memory: int = 1 << 30
    """Bytes of physical memory; taken from the host only as they are used."""
    fork_policy: str = "cow"
    max_processes: int = 4096
    deterministic: bool = False
    fail_allocation: int = 0
    """The number of the frame allocation that is made to fail; 0 for none."""
    check: bool = False
    """Check the invariants of the kernel's memory before every return to a program."""
    timeout: float | None = None
    """Seconds after which all guests are ended."""
    environment: Mapping[str, str] = field(default_factory=dict)
    cwd: str | None = None
    """Where the guest starts; the host's current directory by default."""
    root: str | None = None
    read_write: Sequence[tuple[str, str]] = ()
    """(host folder, path in the guest)"""

    def __post_init__(self) -> None:
        for name in ("memory", "max_processes", "fail_allocation"):
            if not isinstance(getattr(self, name), int):
                raise TypeError(f"{name} must be a number, not {getattr(self, name)!r}")
        if self.timeout is not None and not isinstance(self.timeout, int | float):
            raise TypeError(f"timeout must be a number of seconds, not {self.timeout!r}")
        if self.fork_policy not in POLICIES:
            raise ValueError(f"fork_policy must be one of {', '.join(POLICIES)}")
        if self.memory <= 0 or self.memory % 4096:
            raise ValueError("memory must be a positive multiple of 4,096 bytes")
