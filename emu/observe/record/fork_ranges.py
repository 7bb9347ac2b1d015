"""The ranges of a parent whose pages a child of fork does not get."""

from __future__ import annotations

from collections.abc import Iterator

from emu.observe.model.record_objects import Range
from emu.observe.model.trace_fields import range_of
from kernel.mm.address_space import AddressSpace
from kernel.mm.mappings.vma import Vma
from kernel.mm.page_tables.leaf_tables import LEAF_SHIFT, LEAF_SPAN


def excluded_from_fork(parent: AddressSpace, policy: str) -> dict[str, list[Range]]:
    """The fields ``left_out``, ``wiped`` and ``not_copied`` of a fork's record."""
    wiped = [vma for vma in parent.vmas if vma.wipe_on_fork and not vma.dont_fork]
    return {
        "left_out": [range_of(vma) for vma in parent.vmas if vma.dont_fork],
        "wiped": [range_of(vma) for vma in wiped],
        "not_copied": [range_of(vma) for vma in _not_copied(parent, policy)],
    }


def _not_copied(parent: AddressSpace, policy: str) -> Iterator[Vma]:
    """The mappings, or their parts, whose PTEs fork leaves to the child's faults."""
    if parent.inherits_all:
        return
    for vma in parent.vmas:
        if vma.has_private or vma.dont_fork or vma.wipe_on_fork:
            continue
        if policy == "shared-tables":
            yield from _parts_in_copied_tables(parent, vma)
        else:
            yield vma


def _parts_in_copied_tables(parent: AddressSpace, vma: Vma) -> Iterator[Vma]:
    """The parts of a VMA in leaf tables that are not shared, for a range that is not inherited."""
    apart = {
        key
        for other in parent.vmas
        if other.dont_fork or other.wipe_on_fork
        for key in parent.table.keys(other.start, other.end)
    }
    for key in parent.table.keys(vma.start, vma.end):
        if key in apart:
            start = key << LEAF_SHIFT
            yield vma.part(max(start, vma.start), min(start + LEAF_SPAN, vma.end))
