"""An address space whose pages a student's code unmaps."""

from __future__ import annotations

from collections.abc import Callable

from emu.lab.components.page_table import LabTable
from emu.lab.host.student import Student
from kernel.mm.address_space import AddressSpace, Pager
from kernel.mm.page_tables.clear_range import clear_huge_pages
from kernel.mm.physical.frames import Frames


class LabSpace(AddressSpace):
    """``lab_machine`` sets ``student`` and ``student_pager`` in a subclass for each machine."""

    student: Student
    student_pager: Pager

    def __init__(self, frames: Frames, asid: int, flush_tlb: Callable[[], None]) -> None:
        super().__init__(frames, asid, flush_tlb)
        self.pager = self.student_pager

    def clear_pages(self, start: int, end: int) -> None:
        assert isinstance(self.table, LabTable)
        if "demand" not in self.student.labs:
            super().clear_pages(start, end)
            return
        self.note_resident_peak()
        steps = self.note_resident_peak, self.flush_tlb
        clear_huge_pages(self.table, self.frames, start, end, *steps)
        with self.table.updating():
            self.student.call("demand", "unmap_range", self.table.root, start, end)
        self.flush_tlb()
