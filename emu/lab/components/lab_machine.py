"""Assembles a machine in which a student's code replaces components of the kernel."""

from __future__ import annotations

from collections.abc import Sequence

from emu.lab.components.address_space import LabSpace
from emu.lab.components.allocator import LabFrames, UnmarkedFrames
from emu.lab.components.fork_policy import student_fork
from emu.lab.components.lab_tlb import FencedSpace, FenceTracker, LabTlb
from emu.lab.components.mmu import LabMmu
from emu.lab.components.page_table import LabTable
from emu.lab.components.pager import LabPager, LabUserMemory
from emu.lab.host.command_bus import CommandBus
from emu.lab.host.shared_ram import SharedRam
from emu.lab.host.student import LabFile, Student
from emu.lab.host.student_process import Limits
from emu.machine.ram import Ram
from emu.machine.sv39 import Mmu
from kernel.components import Components
from kernel.mm.address_space import AddressSpace

REFERENCE_LIMITS = Limits(seconds=60.0)
"""Limits of reference solutions, which always return."""


class LabMachine:
    """``memory`` bytes of RAM, and components of a kernel, some of them the student's.

    Raises :class:`StudentFailed` if the files cannot be loaded.
    """

    def __init__(self, files: Sequence[LabFile], memory: int, limits: Limits | None = None) -> None:
        self.ram = SharedRam(memory)
        labs = {file.lab for file in files}
        self.frames = LabFrames(self.ram) if "frames" in labs else UnmarkedFrames(self.ram)
        self.bus = CommandBus(self.ram, self.frames)
        try:
            self.student = Student(files, self.bus, limits)
        except BaseException:
            self.ram.close()
            raise
        if isinstance(self.frames, LabFrames):
            self.frames.use_student(self.student)
        self._reference: Student | None = None
        self.fence_tracker = FenceTracker(self.student, self.ram) if "tlb" in labs else None
        self.space = self._space()

    def parts(self) -> Components:
        """Returns the components for :class:`kernel.kernel.Kernel`."""
        return Components(
            ram=lambda size: self.ram,
            mmu=self.mmu,
            frames=lambda ram: self.frames,
            space=self.space,
            user_memory=type("UserMemory", (LabUserMemory,), {"student": self.student}),
            fork=student_fork(self.student),
            by_single_page=True,
            changed=self.bus.take_changed,
        )

    def mmu(self, ram: Ram) -> Mmu:
        walk = LabMmu(ram, lambda: self.student) if "walk" in self.student.labs else Mmu(ram)
        return walk if self.fence_tracker is None else LabTlb(walk, self.fence_tracker)

    def _space(self) -> type[AddressSpace]:
        """Returns a class of address spaces whose tables and pages the student's code manages."""
        table = type("Table", (LabTable,), {"student": self.student})
        pager = LabPager(self.student)
        members = {"student": self.student, "table_type": table, "student_pager": pager}
        if self.fence_tracker is None:
            return type("Space", (LabSpace,), members)
        return type(
            "Space", (FencedSpace, LabSpace), {**members, "fence_tracker": self.fence_tracker}
        )

    def replace_student(self, files: Sequence[LabFile]) -> None:
        """Replaces the student's code by ``files``; if empty, restores the student's code."""
        if files and self._reference is None:
            self._reference = Student(files, self.bus, REFERENCE_LIMITS)
        self.student.replacement = self._reference if files else None

    def close(self) -> None:
        if self._reference is not None:
            self._reference.close()
        self.student.close()
        self.ram.close()
