"""MMU that calls a student's code for each translation, and checks the results."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from emu.lab.host.failures import WrongResult
from emu.lab.host.student import Student
from emu.lab.kit.values import Access as LabAccess
from emu.lab.kit.values import Fault, Mode
from emu.lab.kit.values import Privilege as LabPrivilege
from emu.machine.cause import Access
from emu.machine.pte import PAGE_SHIFT, VPN_BITS, A, D, ppn
from emu.machine.ram import Ram
from emu.machine.sv39 import Mmu, Rule, Step, Translation, TranslationFault

_RULE = {Fault.PAGE: Rule.INVALID, Fault.ACCESS: Rule.PAGE_OUTSIDE_RAM}
"""Rule reported for a fault of the student's code if the reference MMU finds no violation."""
_HARDWARE_BITS = (Rule.NOT_ACCESSED, Rule.NOT_DIRTY)
_MAX_REPEATS = 1000
"""Maximum number of consecutive equal faults; no program takes as many."""


class LabMmu(Mmu):
    """Calls the lab ``walk`` for each translation."""

    __slots__ = ("_last_fault", "_student", "_times")

    def __init__(self, ram: Ram, student: Callable[[], Student]) -> None:
        super().__init__(ram)
        self._student = student
        self._last_fault: tuple[object, ...] = ()
        self._times = 0

    def translate(self, va: int, access: Access) -> Translation | TranslationFault:
        mode = Mode(LabPrivilege(self.privilege), self.sum, self.mxr)
        found = self._student().call("walk", "translate", self.satp, va, LabAccess(access), mode)
        if isinstance(found, Fault):
            self._check_progress(va, access, found)
            return TranslationFault(self._rule(va, access, found), va, access, self)
        self._times = 0
        translation = Translation(*found)
        self._check_translation(translation, va, access)
        return translation

    def _check_translation(self, result: Translation, va: int, access: Access) -> None:
        """Checks a translation: a wrong one could make a program that tests itself jump to its
        ``exit(0)``. Raises :class:`WrongResult`.
        """
        steps = self.walk(va)
        address, pte, level, pa = -1, result.pte, 0, va
        if steps:
            address, pte, level = steps[-1].address, steps[-1].pte or 0, steps[-1].level
            offset = (1 << PAGE_SHIFT + VPN_BITS * level) - 1
            pa = ppn(pte) << PAGE_SHIFT | va & offset
        wrong = isinstance(self._ours(va, access), TranslationFault)
        if wrong or (result.pa, result.pte | A | D, result.level) != (pa, pte | A | D, level):
            raise WrongResult(
                f"translate() took a {access.name.lower()} at {va:#x} to {result.pa:#x}, at level "
                f"{result.level}, by the PTE {result.pte:#x}",
                [*_walk_lines(steps), f"by the specification: {self._expected(va, access)}"],
            )
        for at, before, after in self._student().bus.stores:
            if at != address or (before ^ after) & ~(A | D):
                raise WrongResult(
                    f"translate() stored {after:#x} to {at:#x}, where {before:#x} was",
                    [*_walk_lines(steps), "a walk may set only A and D of the leaf PTE"],
                )

    def _check_progress(self, va: int, access: Access, fault: Fault) -> None:
        """Checks that a fault which the kernel resolved does not repeat without end.

        Raises :class:`WrongResult`.
        """
        this = self.satp, va, access
        self._times = self._times + 1 if this == self._last_fault else 1
        self._last_fault = this
        if self._times < _MAX_REPEATS:
            return
        raise WrongResult(
            f"translate() gave a {fault.value} for a {access.name.lower()} at {va:#x} "
            f"{self._times} times in a row",
            [*_walk_lines(self.walk(va)), f"by the specification: {self._expected(va, access)}"],
        )

    def _expected(self, va: int, access: Access) -> str:
        found = self._ours(va, access)
        return found.rule.value if isinstance(found, TranslationFault) else "all steps allow it"

    def _rule(self, va: int, access: Access, fault: Fault) -> Rule:
        """Returns the rule that the access violates according to the reference MMU."""
        found = self._ours(va, access)
        if isinstance(found, TranslationFault):
            same = (found.cause == access.page_fault) == (fault is Fault.PAGE)
            if same:
                return found.rule
        return _RULE[fault]

    def _ours(self, va: int, access: Access) -> Translation | TranslationFault:
        """Returns the result of the machine's own MMU, without setting A or D."""
        ours = Mmu(self.ram)
        ours.privilege, ours.sum, ours.mxr = self.privilege, self.sum, self.mxr
        ours.svade = True
        ours.satp = self.satp
        found = ours.translate(va, access)
        if isinstance(found, TranslationFault) and found.rule in _HARDWARE_BITS:
            return Translation(0, 0, 0)
        return found


def _walk_lines(steps: Sequence[Step]) -> list[str]:
    return [
        f"level {step.level}  index {step.vpn:3}  PTE at {step.address:#x}  "
        + ("where there is no memory" if step.pte is None else f"{step.pte:#018x}")
        for step in steps
    ]
