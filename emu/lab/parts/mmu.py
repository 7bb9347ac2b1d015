"""The MMU whose translations are a student's."""

from __future__ import annotations

from collections.abc import Callable

from emu.lab.kit.values import Access as LabAccess
from emu.lab.kit.values import Fault, Mode
from emu.lab.kit.values import Privilege as LabPrivilege
from emu.lab.student import Student
from emu.machine.ram import Ram
from emu.machine.sv39 import Mmu, Rule, Translation, TranslationFault
from emu.machine.trap import Access

_RULE = {Fault.PAGE: Rule.INVALID, Fault.ACCESS: Rule.PAGE_OUTSIDE_RAM}
"""The student need not say which rule was broken; where ours finds none, this stands for it."""


class LabMmu(Mmu):
    """Asks the lab ``walk`` for each translation."""

    __slots__ = ("_student",)

    def __init__(self, ram: Ram, student: Callable[[], Student]) -> None:
        super().__init__(ram)
        self._student = student

    def translate(self, va: int, access: Access) -> Translation | TranslationFault:
        mode = Mode(LabPrivilege(self.privilege), self.sum, self.mxr)
        found = self._student().call("walk", "translate", self.satp, va, LabAccess(access), mode)
        if isinstance(found, Fault):
            return TranslationFault(self._rule(va, access, found), va, access, self)
        return Translation(found.pa & (1 << 56) - 1, found.pte & (1 << 64) - 1, found.level)

    def _rule(self, va: int, access: Access, fault: Fault) -> Rule:
        """The rule that the access breaks by our own account, if it breaks one of that kind."""
        ours = Mmu(self.ram)
        ours.privilege, ours.sum, ours.mxr = self.privilege, self.sum, self.mxr
        ours.svade = True  # changes nothing in the tables
        ours.satp = self.satp
        found = ours.translate(va, access)
        if isinstance(found, TranslationFault) and found.rule not in (
            Rule.NOT_ACCESSED,
            Rule.NOT_DIRTY,
        ):
            same = (found.cause == access.page_fault) == (fault is Fault.PAGE)
            if same:
                return found.rule
        return _RULE[fault]
