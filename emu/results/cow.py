"""The cost of copy-on-write in a run, as an object."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from emu.observe.analysis.cow_collector import site_text
from emu.observe.analysis.cow_profile import PAGE_SIZE, CowProfile, Site
from emu.observe.analysis.cow_text import cow_text
from emu.results.html import heading, pairs, table
from emu.results.tables import MemorySample, memory_table, site_table

if TYPE_CHECKING:
    import pandas

    from emu.results.table import Table

_TOP = 10


class Cow:
    """The cost of forks: totals, and the lines, functions, mappings and heap sites that caused it.

    As text it is the output of ``emu cow``. The sites are sorted by copied bytes, largest first.
    """

    def __init__(self, profile: CowProfile) -> None:
        self.profile = profile
        """All counters: :class:`emu.observe.analysis.cow_profile.CowProfile`."""

    @property
    def bytes_copied(self) -> int:
        """Bytes of all pages that were copied because fork shares memory."""
        return self.profile.bytes_copied

    @property
    def bytes_changed(self) -> int:
        """Bytes of them that differed from the copied ones when the page ended."""
        return self.profile.bytes_changed

    @property
    def pages_copied(self) -> int:
        """Pages of 4 KiB that were copied, at a store or (policy ``eager``) at the fork."""
        return self.profile.frames_copied

    @property
    def pages_reused(self) -> int:
        """Shared pages that their last user stored to, without a copy."""
        return self.profile.reused

    @property
    def eager_pages(self) -> int:
        """Pages that the policy ``eager`` copies for the same forks."""
        return self.profile.eager_copies

    @cached_property
    def lines(self) -> Table[Site]:
        """The source lines whose stores copied pages."""
        return site_table(self.profile.lines)

    @cached_property
    def functions(self) -> Table[Site]:
        return site_table(self.profile.functions)

    @cached_property
    def mappings(self) -> Table[Site]:
        return site_table(self.profile.mappings)

    @cached_property
    def heap(self) -> Table[Site]:
        """The allocations of the copied heap blocks; only with ``heap=True``."""
        return site_table(self.profile.heap)

    @cached_property
    def memory(self) -> Table[MemorySample]:
        """The memory use of the processes over time."""
        return memory_table(self.profile.memory)

    def json(self) -> str:
        """As ``emu cow --json`` prints it."""
        return self.profile.json()

    def to_pandas(self) -> pandas.DataFrame:
        """A data frame of ``lines``."""
        return self.lines.to_pandas()

    def __str__(self) -> str:
        return cow_text(self.profile, _TOP)

    def __repr__(self) -> str:
        return (
            f"<Cow: {self.pages_copied:,} pages copied, {self.bytes_changed:,} bytes changed, "
            f"{self.pages_reused:,} pages reused>"
        )

    def _repr_html_(self) -> str:
        sites = [
            (site_text(site), site.copies, site.bytes_copied >> 10, site.bytes_changed)
            for site in self.profile.lines[:_TOP]
        ]
        lines = table(("line", "copies", "KiB copied", "bytes changed"), sites) if sites else ""
        return self.totals_html() + (heading("Copied by line") + lines if lines else "")

    def totals_html(self) -> str:
        """The totals alone."""
        kib = PAGE_SIZE >> 10
        changed = self.profile.copied * PAGE_SIZE
        share = f"{100 * self.bytes_changed / changed:.2g} % of them" if changed else ""
        return pairs(
            [
                ("copied for fork", self.pages_copied, f"pages, {self.pages_copied * kib:,} KiB"),
                ("changed bytes", self.bytes_changed, share),
                ("reused", self.pages_reused, "pages, without a copy"),
                ("eager copying", self.eager_pages, "pages, had fork copied all at once"),
            ]
        )
