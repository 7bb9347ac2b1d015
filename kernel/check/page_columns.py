"""Pages of several page tables as columns, with the properties of each page's VMA and frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from emu.machine.pte import W
from kernel.base.lazy_numpy import Indices, Marks, Ptes, np
from kernel.check.table_walk import MappedPages, VmaRows
from kernel.mm.address_space import AddressSpace
from kernel.mm.physical.frames import Frames


class PageColumns:
    """One row for each page of ``tables``."""

    def __init__(self, frames: Frames, tables: Sequence[MappedPages]) -> None:
        self._tables = tables
        self._ends = np.cumsum([len(table.vas) for table in tables])
        self.vas: Indices = _joined([table.vas for table in tables], np.int64)
        self.ptes: Ptes = _joined([table.ptes for table in tables], np.uint64)
        frame: Indices = _joined([table.indices for table in tables], np.int64)
        self.inside: Marks = frame >= 0
        """Marks the pages whose frame lies in RAM."""
        self.index: Indices = np.where(self.inside, frame, 0)
        """Frame of each page as an index; 0 outside RAM."""
        self.kinds = frames.kinds[self.index]
        self.writable: Marks = self.flag(W)
        self._spread(tables)

    def _spread(self, tables: Sequence[MappedPages]) -> None:
        """Makes the columns of the VMAs' properties."""
        rows: dict[VmaRows, int] = {}
        count = 0
        for table in tables:
            if table.vma_rows not in rows:
                rows[table.vma_rows] = count
                count += table.vma_rows.none + 1
        row = _joined([table.row + rows[table.vma_rows] for table in tables], np.int64)
        none = _joined([table.row == table.vma_rows.none for table in tables], np.bool_)
        self.mapped: Marks = ~none
        """Marks the pages that lie in a VMA."""
        self.shared: Marks = _joined([vmas.shared for vmas in rows], np.bool_)[row]
        self.breakable: Marks = _joined([vmas.breakable for vmas in rows], np.bool_)[row]
        self.in_file: Marks = _joined([vmas.in_file for vmas in rows], np.bool_)[row]
        self.allowed: Ptes = _joined([vmas.allowed for vmas in rows], np.uint64)[row]
        self.backing: Indices = _joined([vmas.backing for vmas in rows], np.int64)[row]
        self.shift: Indices = _joined([vmas.shift for vmas in rows], np.int64)[row]

    def flag(self, flags: int) -> Marks:
        """Marks the pages whose PTE has one of the flags."""
        marks: Marks = (self.ptes & np.uint64(flags)) != 0
        return marks

    def where(self, marks: Marks) -> Iterator[tuple[AddressSpace, int, int]]:
        """Yields (space, va, PTE) of the marked pages."""
        for number in true_rows(marks):
            table = self._tables[int(np.searchsorted(self._ends, number, side="right"))]
            yield table.space, int(self.vas[number]), int(self.ptes[number])


def true_rows(marks: Marks) -> list[int]:
    """Numbers of the rows that are marked; usually none."""
    return np.flatnonzero(marks).tolist() if np.count_nonzero(marks) else []


def _joined(parts: Sequence[Any], kind: type) -> Any:
    return np.concatenate(parts) if parts else np.empty(0, kind)
