"""The record of how a page fault was resolved."""

from __future__ import annotations

from dataclasses import dataclass

from emu.machine.cause import Access
from kernel.mm.outcome import Outcome


@dataclass(slots=True)
class Resolution:
    """Resolution of one fault: the PTE before and after, and the frame's reference count before.

    When it failed, ``pte_after`` is ``pte_before``.
    """

    outcome: Outcome
    va: int
    access: Access
    pte_before: int = 0
    pte_after: int = 0
    count_before: int = 0
    failed: bool = False
    """True when the page is as it was before (``outcome.is_failure``)."""
    table_copied: bool = False
    """True when the page's leaf table was shared and had to be copied first."""
    middle_copied: bool = False
    """True when the page's middle table was shared and had to be copied first."""
    huge: bool = False
    """True when a huge page maps the address afterwards: the outcome concerns all of its pages."""
    split: bool = False
    """True when the fault split a huge page."""
    around: list[tuple[int, int]] | None = None
    """(address, PTE) of the other pages that the fault mapped (fault-around)."""
