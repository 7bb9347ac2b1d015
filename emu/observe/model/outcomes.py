"""Outcomes of page faults as the instruments group and print them.

The outcomes and their texts are those of :class:`kernel.mm.outcome.Outcome`.
"""

from __future__ import annotations

from kernel.mm.outcome import Outcome

COPIES = frozenset((Outcome.COPIED, Outcome.FILE_COPIED))
"""The outcomes that copy a page."""

OWN = COPIES | {Outcome.ZERO_FILLED, Outcome.STACK_GROWN, Outcome.REUSED}
"""The outcomes after which the process is the only user of the page's frame."""

TABLE_UNSHARED = "table_unshared"
"""A filter's name for faults that first copied a leaf table shared by fork."""

_SHARING_ENDS = (Outcome.COPIED, Outcome.REUSED)


def in_line(outcome: str) -> str:
    """The outcome's label, in capitals where copy-on-write ends the sharing of a page."""
    known = Outcome(outcome)
    return known.label.upper() if known in _SHARING_ENDS else known.label
