"""The costs of copy-on-write in a run, as :mod:`emu.observe.analysis.cow_collector` computes them.

Pages and frames have 4,096 bytes, and a huge page counts as 512; copied bytes are counted in whole
pages. ``copied`` counts only copies made because fork shares memory; private copies of file pages
are counted separately. The changed bytes of a page are those that differ when the process releases
it. A page without a recorded end (in a trace that was cut off) counts in ``copies_without_end`` and
has no changed bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from emu.machine.pte import HUGE_FRAMES

PAGE_SIZE = 4096


@dataclass(slots=True)
class Side:
    """Shared pages to which one side of a fork, the parent or the child, stored, or which it copied
    to a huge page (MADV_COLLAPSE).
    """

    copied: int = 0
    reused: int = 0


@dataclass(slots=True)
class ForkShare:
    """A fork, and the costs attributed to it. ``frames_copied`` were copied by the fork itself.

    ``eager_copies`` is the number that the policy ``eager`` copies.
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
    """An origin of copies: a line, a function, a mapping, or the allocation of a heap block.

    ``via`` is the function that the line called, or the system call during which the kernel stored
    to the page.
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
    """Copies of the page at ``address``, by one site, of which only few bytes were changed."""

    address: int
    mapping: str
    where: str
    copies: int = 0
    bytes_changed: int = 0


@dataclass(slots=True)
class Usage:
    """Memory use of one image of a process: one element for each sample."""

    pid: int
    name: str
    time: list[int] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)
    proportional: list[float] = field(default_factory=list)
    unique: list[int] = field(default_factory=list)


@dataclass(slots=True)
class CowProfile:
    """The whole profile. Sites are sorted by copied bytes, largest first."""

    fork_policy: str = "cow"
    copied: int = 0
    """Pages copied at a store because fork shared them."""
    frames_copied: int = 0
    """``copied`` plus ``collapse_copies`` plus the frames that forks copied at once (eager)."""
    reused: int = 0
    """Shared pages whose last user stored to them, without a copy."""
    file_copied: int = 0
    file_bytes_changed: int = 0
    huge_mapped: int = 0
    """Huge pages that faults allocated, ``huge_copied`` included."""
    huge_split: int = 0
    """Huge pages that became pages of 4 KiB, ``huge_split_by_store`` included."""
    huge_split_by_store: int = 0
    huge_copied: int = 0
    """Huge pages that were copied whole."""
    huge_collapsed: int = 0
    """Huge pages that madvise(2) made of pages."""
    collapse_copies: int = 0
    """Pages shared by fork that were copied for that; their changed bytes are not known."""
    mapped_around: int = 0
    """Cached pages that read faults mapped beside their own."""
    eager_copies: int = 0
    bytes_copied: int = 0
    """Bytes of ``frames_copied``."""
    bytes_changed: int = 0
    copies_without_end: int = 0
    without_fork: Side = field(default_factory=Side)
    """Copied or reused without a fork that shared the page: W was removed otherwise."""
    forks: list[ForkShare] = field(default_factory=list)
    lines: list[Site] = field(default_factory=list)
    functions: list[Site] = field(default_factory=list)
    mappings: list[Site] = field(default_factory=list)
    heap: list[Site] = field(default_factory=list)
    few_bytes: int = 64
    """Maximum number of changed bytes that counts as few."""
    for_few: list[FewBytes] = field(default_factory=list)
    """Sorted by the number of copies, largest first."""
    memory: list[Usage] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    """The kernel's counters; empty for a trace that was cut off."""

    @property
    def copies(self) -> int:
        """Number of copies at a store, of a page or of a huge page."""
        return self.copied - (HUGE_FRAMES - 1) * self.huge_copied

    def json(self) -> str:
        return msgspec.json.encode(self).decode()
