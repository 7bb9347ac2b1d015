"""Single translations by a student's walk, each compared with the result of the machine's MMU.

Both have the same memory: zeroes, and the PTEs of the case.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import NamedTuple, Self

from emu.lab.host.command_bus import CommandBus
from emu.lab.host.failures import StudentFailed
from emu.lab.host.shared_ram import SharedRam
from emu.lab.host.student import LabFile, Student
from emu.lab.kit.port import Place
from emu.lab.kit.values import Access, Fault, Mode, Translation
from emu.machine import cause, sv39
from emu.machine.pte import PAGE_SHIFT, A, D, make_satp
from emu.machine.ram import BASE, Ram
from emu.machine.sv39 import Mmu, Rule
from kernel.mm.physical.frames import Frames, Kind

SIZE = 4 << 20
"""Bytes of memory: two superpages."""
TABLES = range((BASE >> PAGE_SHIFT) + 1, (BASE >> PAGE_SHIFT) + 9)
"""Frames that may contain page tables; the first one is the root."""
SATP = make_satp(TABLES[0])

Answer = Translation | Fault


class Case(NamedTuple):
    """One access, and the PTEs in memory by their physical addresses."""

    entries: dict[int, int]
    va: int
    access: Access = Access.LOAD
    mode: Mode = Mode()
    satp: int = SATP


class Verdict(NamedTuple):
    """Results of the student's walk and of the machine's MMU for a case."""

    case: Case
    found: Answer | StudentFailed
    expected: Answer
    rule: Rule | None
    """Rule by which the access faults; None if it does not fault."""
    changed: dict[int, tuple[int, int]]
    """PTEs with a wrong value: (found, expected), by address."""
    stored: dict[int, Place]
    """Places in the student's code that stored to a PTE, by the PTE's address."""
    needless: bool
    """True if a PTE was written that needed no change."""

    @property
    def answered(self) -> bool:
        """True if the result and the PTEs in memory are correct."""
        return self.found == self.expected and not self.changed

    @property
    def right(self) -> bool:
        return self.answered and not self.needless

    @property
    def kind(self) -> tuple[object, ...]:
        """Kind of failure, to compare two cases."""
        failed = self.found
        how: object = failed if isinstance(failed, Fault) else type(failed)
        if isinstance(failed, StudentFailed):
            how = failed.name, failed.headline.split(":")[0]
        return how, self.rule, self.found == self.expected, bool(self.changed), self.needless


class Bench:
    """A student's process and the machine's MMU, for a sequence of cases.

    Raises :class:`StudentFailed` if the student's file cannot be loaded.
    """

    def __init__(self, files: Sequence[LabFile]) -> None:
        self._files = [file for file in files if file.lab == "walk"]
        self._ram = SharedRam(SIZE)
        frames = Frames(self._ram)
        for _ in TABLES:
            frames.allocate(Kind.TABLE)
        self._bus = CommandBus(self._ram, frames)
        self._mmu = Mmu(Ram(SIZE))
        self._written: set[int] = set()
        self._student = self._start_student()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._student.close()
        self._ram.close()

    def _start_student(self) -> Student:
        return Student(self._files, self._bus)

    def first_wrong(self, cases: Iterable[Case], needless_stores: bool = True) -> Verdict | None:
        """Returns the first case that fails; with ``needless_stores`` these are failures too."""
        for case in cases:
            verdict = self.judge(case)
            if not (verdict.right if needless_stores else verdict.answered):
                return verdict
        return None

    def judge(self, case: Case) -> Verdict:
        """Translates by both. Starts a new process after a failure of the student's code."""
        self._write(case.entries)
        expected, rule = self._reference_answer(case)
        self._bus.take_writers()
        before = self._bus.counts.ptes
        found = self._student_answer(case)
        stored = self._bus.take_writers()
        changed = self._changed({*case.entries, *stored}, rule)
        required = sum(self._mmu.ram.load64(at) != pte for at, pte in case.entries.items())
        stores = max(self._bus.counts.ptes - before, len(stored))
        needless = stores > required and rule is not Rule.PAGE_OUTSIDE_RAM
        self._written.update(stored)
        return Verdict(case, found, expected, rule, changed, stored, needless)

    def walk(self, case: Case) -> tuple[sv39.Step, ...]:
        """PTEs that a walk reads, with their values before it."""
        self._write(case.entries)
        self._mmu.satp = case.satp
        return self._mmu.walk(case.va)

    def _write(self, entries: dict[int, int]) -> None:
        """Sets these words in memory, and all others to 0."""
        for ram in (self._ram, self._mmu.ram):
            for address in self._written:
                ram.store64(address, 0)
            for address, pte in entries.items():
                ram.store64(address, pte)
        self._written = set(entries)

    def _reference_answer(self, case: Case) -> tuple[Answer, Rule | None]:
        mmu = self._mmu
        mmu.satp = case.satp
        mmu.privilege = sv39.Privilege(case.mode.privilege)
        mmu.sum, mmu.mxr = case.mode.sum, case.mode.mxr
        access = cause.Access(case.access)
        result = mmu.translate(case.va, access)
        if isinstance(result, sv39.Translation):
            return Translation(result.pa, result.pte, result.level), None
        return Fault.PAGE if result.cause == access.page_fault else Fault.ACCESS, result.rule

    def _student_answer(self, case: Case) -> Answer | StudentFailed:
        arguments = case.satp, case.va, case.access, case.mode
        try:
            found: Answer = self._student.call("walk", "translate", *arguments)
        except StudentFailed as failed:
            self._student = self._start_student()
            return failed
        return found

    def _changed(self, addresses: set[int], rule: Rule | None) -> dict[int, tuple[int, int]]:
        """Words in which the two memories differ.

        If the page is outside memory, the spec allows A and D to be set or not ("a trap may occur
        between the PTE update and the memory access", section 10.3.1).
        """
        ignored = A | D if rule is Rule.PAGE_OUTSIDE_RAM else 0
        changed = {}
        for address in addresses:
            found, expected = self._ram.load64(address), self._mmu.ram.load64(address)
            if (found ^ expected) & ~ignored:
                changed[address] = found, expected
        return changed
