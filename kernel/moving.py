"""Moves pages to another address (mremap(2)): their PTEs go from leaf tables to leaf tables.

A page keeps its frame, its rights and its mark, so no count changes. The tables for all pages are
there before the first one moves, so that a move that fails has moved nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from emu.machine.pte import PAGE_SHIFT, V
from kernel.lazy import Ptes
from kernel.leaftables import LEAF_SPAN
from kernel.pagetable import PageTable


def make_room(table: PageTable, start: int, end: int, to: int) -> None:
    """Gets all tables, the process's own, that it takes to move [start, end) to ``to``.

    :class:`kernel.errors.OutOfMemory`, and nothing is mapped otherwise than before.
    """
    table.own_all(start, end)
    if table.is_short(start, end):
        for va, _ in table.pages(start, end):
            table.leaf(va - start + to)
        return
    for at, _ in _pieces(table, start, end, to):
        table.leaf(at)


def move(table: PageTable, start: int, end: int, to: int) -> None:
    """Moves the PTEs of [start, end) to a free range, for which there is room."""
    if table.is_short(start, end):
        for va, pte in table.pages(start, end):
            table.set_pte(va, 0)
            table.set_pte(va - start + to, pte)
        return
    for at, ptes in _pieces(table, start, end, to):
        table.entries(at, len(ptes))[:] = ptes
        ptes[:] = 0


def _pieces(table: PageTable, start: int, end: int, to: int) -> Iterator[tuple[int, Ptes]]:
    """What goes from one leaf table to one and maps pages: (address at ``to``, view of the PTEs).

    A leaf table's PTEs go to two where the ranges do not begin at the same place in theirs.
    """
    for va, ptes in table.slices(start, end):
        at = va - start + to
        cut = -at % LEAF_SPAN >> PAGE_SHIFT
        for first, piece in ((0, ptes[:cut]), (cut, ptes[cut:])):
            if (piece & V).any():
                yield at + (first << PAGE_SHIFT), piece
