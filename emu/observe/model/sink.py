"""What a recorder is asked to tell of, and whom it tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from emu.observe.model.records import AnyRecord

Sink = Callable[[AnyRecord], None]


@dataclass(frozen=True, slots=True)
class RecordingOptions:
    """What is recorded beside faults, forks, exec and exit."""

    backtraces: int = 16
    """So many callers of each fault at the most."""
    calls: bool = False
    samples: bool = True
    pages: set[int] = field(default_factory=set)
    """Addresses of pages to watch; may grow while the program runs."""
    heap: bool = False
    """Whether to tell of a copied page which call allocated the heap block there."""
