"""The consumer of records, and the options of recording."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from emu.observe.model.records import AnyRecord

Sink = Callable[[AnyRecord], None]


@dataclass(frozen=True, slots=True)
class RecordingOptions:
    """Records to produce in addition to faults, forks, exec and exit."""

    backtraces: int = 16
    """Maximum number of callers recorded for each fault."""
    calls: bool = False
    samples: bool = True
    pages: set[int] = field(default_factory=set)
    """Addresses of pages to watch; may grow while the program runs."""
    heap: bool = False
    """Records for copied pages the call that allocated the heap block."""
