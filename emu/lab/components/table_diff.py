"""Snapshots of a page table, and the differences between two of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from emu.machine.pte import (
    LEVELS,
    PAGE_SHIFT,
    PTES_PER_TABLE,
    VPN_BITS,
    A,
    D,
    V,
    is_leaf,
    ppn,
)
from emu.machine.ram import Ram

_HARDWARE_BITS = A | D
"""Bits that a walk sets."""


class TablePosition(NamedTuple):
    """Level of a table, and the first address that it maps."""

    level: int
    start: int


class Table(NamedTuple):
    """A table: its frame, a copy of its content, and its subtables."""

    frame: int
    content: bytes
    below: list[tuple[TablePosition, int]]


Tables = dict[TablePosition, Table]


class Change(NamedTuple):
    """A PTE that changed."""

    level: int
    address: int
    before: int
    after: int


def snapshot(ram: Ram, root: int, before: Tables) -> Tables:
    """Returns all tables of a root; parts of ``before`` that are unchanged are reused."""
    found: Tables = {}
    edge = [(TablePosition(LEVELS - 1, 0), root)]
    while edge:
        place, frame = edge.pop()
        if not ram.holds(frame << PAGE_SHIFT):
            continue
        first = (frame << PAGE_SHIFT) - ram.base >> 3
        content = bytes(ram.words[first : first + PTES_PER_TABLE])
        old = before.get(place)
        if old is not None and old.content == content:
            below = old.below
        else:
            below = list(_subtables(place, content)) if place.level else []
        found[place] = Table(frame, content, below)
        edge += below
    return found


def _subtables(place: TablePosition, content: bytes) -> Iterator[tuple[TablePosition, int]]:
    for index, pte in enumerate(memoryview(content).cast("Q")):
        if pte & V and not is_leaf(pte):
            yield TablePosition(place.level - 1, _address(place, index)), ppn(pte)


def _address(place: TablePosition, index: int) -> int:
    return place.start + (index << PAGE_SHIFT + VPN_BITS * place.level)


def changes(before: Tables, after: Tables) -> Iterator[Change]:
    """Yields all changes, upper levels first. A changed pointer stands for all that is below it.
    Setting A or D is not a change by the kernel.
    """
    for place, new in sorted(after.items(), reverse=True):
        old = before.get(place)
        if old is None or old.frame != new.frame or old.content == new.content:
            continue
        words = memoryview(old.content).cast("Q"), memoryview(new.content).cast("Q")
        for index, (was, now) in enumerate(zip(*words, strict=True)):
            if was == now:
                continue
            if was & V and ppn(was) == ppn(now):
                was |= now & _HARDWARE_BITS  # noqa: PLW2901  (the walk did that, not the kernel)
            if was != now:
                yield Change(place.level, _address(place, index), was, now)
