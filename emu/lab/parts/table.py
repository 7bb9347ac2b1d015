"""A page table that a student's code makes, changes and takes apart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from emu.lab.failures import NotAllowed
from emu.lab.student import Student
from emu.machine.pte import PTES_PER_TABLE, VPN_BITS, V, is_leaf, make_satp, ppn
from kernel.errors import OutOfMemory
from kernel.frames import Frames, Kind
from kernel.pagetable import PageTable

RELEASES = {"eager-fork": "release_space", "shared-tables": "release_tables"}
"""The labs that take address spaces apart, and their functions for it."""


class LabTable(PageTable):
    """The kernel's index of it is made anew from the tables in RAM when the student changed them.

    ``student`` is set by :func:`emu.lab.parts.kernel_parts` in a subclass for each machine.
    """

    student: Student

    def __init__(self, frames: Frames, asid: int) -> None:
        super().__init__(frames, asid)
        self._asid = asid

    def adopt(self, root: int) -> None:
        """Takes the tables from ``root`` on in place of those that there are, and of nothing."""
        super().destroy()
        self.root = root
        self.satp = make_satp(root, self._asid)
        self.look()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """While the student's code changes the tables; out of memory, it may have made some."""
        try:
            yield
        except OutOfMemory:
            self.look()
            raise
        self.look()

    def look(self) -> None:
        """Finds the tables that the root leads to. Raises :class:`NotAllowed` for what is none."""
        self._upper, self._leaves, self._shared = [], {}, {}
        seen: set[int] = set()
        self._upper.append(self._table(self.root, "the root", seen))
        for index, top in self._entries(self.root):
            middle = self._table(ppn(top), f"entry {index} of the root", seen)
            self._upper.append(middle)
            for at, pointer in self._entries(middle):
                key = index << VPN_BITS | at
                if not is_leaf(pointer):
                    leaf = self._table(ppn(pointer), f"entry {at} of table {middle:#x}", seen)
                    self._leaves[key] = self._frame_to_words(leaf)

    def _entries(self, table: int) -> list[tuple[int, int]]:
        first = self._frame_to_words(table)
        ptes = self._ram.words[first : first + PTES_PER_TABLE].tolist()
        return [(index, pte) for index, pte in enumerate(ptes) if pte & V]

    def _table(self, frame: int, where: str, seen: set[int]) -> int:
        first, total = self._frames.first, self._frames.total
        if not first <= frame < first + total or self._frames.kind(frame) is not Kind.TABLE:
            raise NotAllowed(
                f"{where} points to frame {frame:#x}, which is no page table",
                ["a page table's frame comes from frames.allocate_table()"],
            )
        if frame in seen:
            raise NotAllowed(f"table {frame:#x} hangs in one page table twice, by {where} too")
        seen.add(frame)
        return frame

    def place_of(self, va: int) -> int:
        """The physical address of the PTE of ``va``; 0 without a table for it."""
        return self.pte_address(va) or 0

    def destroy(self) -> None:
        """Releases every mapped frame and every table: the student does, where that is a lab."""
        lab = next((lab for lab in RELEASES if lab in self.student.labs), None)
        if lab is None or not self._upper or self.student.failed is not None:
            super().destroy()
            return
        self.student.call(lab, RELEASES[lab], self.root)
        self._upper, self._leaves, self._shared = [], {}, {}
