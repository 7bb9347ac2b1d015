"""A page table that a student's code makes, changes and takes apart."""

from __future__ import annotations

from collections import Counter

from emu.lab.failures import Finding, NotAllowed, RuleBroken, said
from emu.lab.student import Student
from emu.machine.pte import PTES_PER_TABLE, VPN_BITS, V, is_leaf, make_satp, ppn
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
        held = self._held() if lab == "eager-fork" else {}
        self.student.call(lab, RELEASES[lab], self.root)
        self._must_be_released(held)
        self._upper, self._leaves, self._shared = [], {}, {}

    def _held(self) -> dict[int, tuple[int, int]]:
        """How often this table holds each frame, and the count of each."""
        times = Counter([*self.frames(), *(ppn(pte) for _, pte in self.present())])
        return {frame: (often, self._users_of(frame)) for frame, often in times.items()}

    def _must_be_released(self, held: dict[int, tuple[int, int]]) -> None:
        """Raises :class:`RuleBroken` for a frame that has not so many users less.

        The kernel goes on to give back what else the process had, and would meet a count that
        can't be before anybody looks.
        """
        for frame, (often, before) in held.items():
            count = self._users_of(frame)
            if count == before - often:
                continue
            lines = [
                f"frame {frame:#x} had count {before}, and {often} of it by this page table; "
                f"it has {count} now"
            ]
            if frame in self.student.bus.counted_at:
                lines.append(f"you last changed it at {said(self.student.bus.counted_at[frame])}")
            rule = Finding("count-is-the-number-of-holders", lines)
            raise RuleBroken(rule, "after release_space()")

    def _users_of(self, frame: int) -> int:
        return int(self._frames.counts[frame - self._frames.first])
