"""What copy-on-write cost a run: the values that :mod:`emu.observe.analysis.cow_collector` makes of
a trace.

Pages and frames are of 4,096 bytes, and bytes are counted in whole pages where they are copied.
``copied`` counts only copies made because fork shares memory; private copies of a file's pages are
told of apart. A page's changed bytes are those that differ when the process lets go of it; a page
that never came to that end (a trace that was cut off) is ``copies_without_end`` and has none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

PAGE_SIZE = 4096


@dataclass(slots=True)
class Side:
    """What one side of a fork, the parent or the child, stored to of what they shared."""

    copied: int = 0
    reused: int = 0


@dataclass(slots=True)
class ForkShare:
    """A fork, and what became of the pages it shared. ``frames_copied`` is what it copied itself.

    ``eager_copies`` is what it would have copied, or has, under the policy eager.
    """

    number: int
    seq: int
    time: int
    parent: int
    child: int
    function: str = ""
    file: str = ""
    line: int = 0
    pages_shared: int = 0
    tables_shared: int = 0
    frames_copied: int = 0
    eager_copies: int = 0
    by_parent: Side = field(default_factory=Side)
    by_child: Side = field(default_factory=Side)
    bytes_copied: int = 0
    bytes_changed: int = 0


@dataclass(slots=True)
class Site:
    """Where copies come from: a line, a function, a mapping or what allocated a heap block.

    ``via`` is what a line had called to make the store, or the system call for which the kernel
    made it.
    """

    name: str
    file: str = ""
    line: int = 0
    via: str = ""
    copies: int = 0
    bytes_copied: int = 0
    bytes_changed: int = 0


@dataclass(slots=True)
class FewBytes:
    """Copies of the page at ``address``, by one place, for which few bytes were changed each."""

    address: int
    mapping: str
    where: str
    copies: int = 0
    bytes_changed: int = 0


@dataclass(slots=True)
class Usage:
    """How much memory an image of a process had: a row (time, pages, …) for each sample."""

    pid: int
    name: str
    time: list[int] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)
    proportional: list[float] = field(default_factory=list)
    unique: list[int] = field(default_factory=list)


@dataclass(slots=True)
class CowProfile:
    """The whole. Sites are sorted, the most copied bytes first."""

    fork_policy: str = "cow"
    copied: int = 0
    """Pages copied at a store, since fork had shared them."""
    frames_copied: int = 0
    """Those, and what forks copied at once (eager)."""
    reused: int = 0
    """Pages that were shared and taken over by their last user, without a copy."""
    file_copied: int = 0
    file_bytes_changed: int = 0
    eager_copies: int = 0
    bytes_copied: int = 0
    """Of ``frames_copied``."""
    bytes_changed: int = 0
    copies_without_end: int = 0
    without_fork: Side = field(default_factory=Side)
    """Copied or reused with no fork to blame: W had been taken by other means."""
    forks: list[ForkShare] = field(default_factory=list)
    lines: list[Site] = field(default_factory=list)
    functions: list[Site] = field(default_factory=list)
    mappings: list[Site] = field(default_factory=list)
    heap: list[Site] = field(default_factory=list)
    few_bytes: int = 64
    """So many changed bytes of a copy, at the most, are few."""
    for_few: list[FewBytes] = field(default_factory=list)
    """The most copies first."""
    memory: list[Usage] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    """The kernel's own counts; empty for a trace that was cut off."""

    def json(self) -> str:
        return msgspec.json.encode(self).decode()
