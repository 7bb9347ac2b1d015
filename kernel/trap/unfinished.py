"""State of a trap that the fast path began and left to the run loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kernel.mm.resolution import Resolution


@dataclass(slots=True)
class UnfinishedTrap:
    """At most one field is set; the handler of the trap that follows takes it."""

    pending_result: tuple[Any] | None = None
    """Return value of a system call's function, in a tuple since it may be None."""
    pending_fault: Resolution | None = None
    """Resolution of a page fault that failed, or that stored to translated code."""
