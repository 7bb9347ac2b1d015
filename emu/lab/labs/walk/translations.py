"""Single translations by a student's walk, each compared with that of the machine's own MMU.

Both have the same memory: zeroes, but for the PTEs of the case.
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
from kernel.mm.frames import Frames, Kind

SIZE = 4 << 20
"""Bytes of memory: two superpages' worth."""
TABLES = range((BASE >> PAGE_SHIFT) + 1, (BASE >> PAGE_SHIFT) + 9)
"""The frames that may hold page tables; the first one is the root."""
SATP = make_satp(TABLES[0])

Found = Translation | Fault


class Case(NamedTuple):
    """One access, and the PTEs that memory holds, by their physical addresses."""

    entries: dict[int, int]
    va: int
    access: Access = Access.LOAD
    mode: Mode = Mode()
    satp: int = SATP


class Verdict(NamedTuple):
    """What the student's walk and the machine's own made of a case."""

    case: Case
    found: Found | StudentFailed
    wanted: Found
    rule: Rule | None
    """The rule by which the access faults, where it does."""
    changed: dict[int, tuple[int, int]]
    """The PTEs that are not as they should be: (found, wanted), by address."""
    stored: dict[int, Place]
    """Where the student's code stored to a PTE."""
    needless: bool
    """A PTE was stored to that needed no change."""

    @property
    def answered(self) -> bool:
        """Whether the answer is right, and memory as it should be."""
        return self.found == self.wanted and not self.changed

    @property
    def right(self) -> bool:
        return self.answered and not self.needless

    @property
    def kind(self) -> tuple[object, ...]:
        """Two cases with the same kind are wrong in the same way."""
        failed = self.found
        how: object = failed if isinstance(failed, Fault) else type(failed)
        if isinstance(failed, StudentFailed):
            how = failed.name, failed.headline.split(":")[0]
        return how, self.rule, self.found == self.wanted, bool(self.changed), self.needless


class Bench:
    """A student's process and our MMU, for one case after the other.

    Raises :class:`StudentFailed` when the student's file can't be loaded.
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
        self._student = self._started()

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

    def _started(self) -> Student:
        return Student(self._files, self._bus)

    def first_wrong(self, cases: Iterable[Case], needless_stores: bool = True) -> Verdict | None:
        """The first case that the student's walk gets wrong; ``needless_stores`` are wrong too."""
        for case in cases:
            verdict = self.judge(case)
            if not (verdict.right if needless_stores else verdict.answered):
                return verdict
        return None

    def judge(self, case: Case) -> Verdict:
        """Translates by both. After a failure of the student's code its process is a new one."""
        self._write(case.entries)
        wanted, rule = self._ours(case)
        self._bus.written_at.clear()
        before = self._bus.counts.ptes
        found = self._theirs(case)
        stored = dict(self._bus.written_at)
        changed = self._changed({*case.entries, *stored}, rule)
        due = sum(self._mmu.ram.load64(at) != pte for at, pte in case.entries.items())
        stores = max(self._bus.counts.ptes - before, len(stored))
        needless = stores > due and rule is not Rule.PAGE_OUTSIDE_RAM
        self._written.update(stored)
        return Verdict(case, found, wanted, rule, changed, stored, needless)

    def walk(self, case: Case) -> tuple[sv39.Step, ...]:
        """The PTEs that a walk reads, as they are before it."""
        self._write(case.entries)
        self._mmu.satp = case.satp
        return self._mmu.walk(case.va)

    def _write(self, entries: dict[int, int]) -> None:
        """Memory holds these words, and nothing else."""
        for ram in (self._ram, self._mmu.ram):
            for address in self._written:
                ram.store64(address, 0)
            for address, pte in entries.items():
                ram.store64(address, pte)
        self._written = set(entries)

    def _ours(self, case: Case) -> tuple[Found, Rule | None]:
        mmu = self._mmu
        mmu.satp = case.satp
        mmu.privilege = sv39.Privilege(case.mode.privilege)
        mmu.sum, mmu.mxr = case.mode.sum, case.mode.mxr
        access = cause.Access(case.access)
        made = mmu.translate(case.va, access)
        if isinstance(made, sv39.Translation):
            return Translation(*made), None
        return Fault.PAGE if made.cause == access.page_fault else Fault.ACCESS, made.rule

    def _theirs(self, case: Case) -> Found | StudentFailed:
        arguments = case.satp, case.va, case.access, case.mode
        try:
            found: Found = self._student.call("walk", "translate", *arguments)
        except StudentFailed as failed:
            self._student = self._started()
            return failed
        return found

    def _changed(self, addresses: set[int], rule: Rule | None) -> dict[int, tuple[int, int]]:
        """The words in which the two memories differ.

        The spec leaves open whether A and D are set when the page turns out to be outside memory
        ("a trap may occur between the PTE update and the memory access", section 10.3.1).
        """
        open_ = A | D if rule is Rule.PAGE_OUTSIDE_RAM else 0
        changed = {}
        for address in addresses:
            found, wanted = self._ram.load64(address), self._mmu.ram.load64(address)
            if (found ^ wanted) & ~open_:
                changed[address] = found, wanted
        return changed
