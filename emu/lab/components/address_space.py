"""An address space whose pages a student's code unmaps."""

from __future__ import annotations

from emu.lab.components.page_table import LabTable
from emu.lab.host.student import Student
from kernel.mm.address_space import AddressSpace


class LabSpace(AddressSpace):
    """``lab_machine`` sets ``student`` in a subclass for each machine."""

    student: Student

    def _clear(self, start: int, end: int) -> None:
        assert isinstance(self.table, LabTable)
        self.note_resident_peak()
        if self.table.drop_superpages(start, end):
            self.flush_tlb()
        if "demand" not in self.student.labs:
            super()._clear(start, end)
            return
        with self.table.updating():
            self.student.call("demand", "unmap_range", self.table.root, start, end)
        self.flush_tlb()
