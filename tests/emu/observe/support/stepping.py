"""An independent trace: a machine that stops after every instruction."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from emu.machine.cause import Access, Cause
from emu.machine.hart import Hart
from emu.machine.isa.decoder import decode
from emu.machine.isa.memory_operand import memory_operand
from emu.machine.registers import A0, COUNT, FCSR, PC, Registers
from emu.machine.sv39 import Translation
from emu.machine.trap import Trap
from emu.observe.instructions.formats import REGISTERS, Record
from emu.observe.instructions.trace import InstructionTrace
from emu.options import Options
from emu.session import Session
from kernel.process.observer import Observer
from kernel.process.process import Thread


class Step(NamedTuple):
    """Fields in which both traces must agree."""

    pid: int
    tid: int
    pc: int
    changed: tuple[str, int] | None
    accessed: tuple[int, int] | None
    """Virtual and physical address."""


def session(program: Path, **options: object) -> Session:
    session = Session(Options(deterministic=True, **options), [str(program)])  # type: ignore
    session.console.capture(1)
    session.console.capture(2)
    return session


def stepped(program: Path, **options: object) -> list[Step]:
    """Steps of a deterministic run of ``program``, one for each instruction."""
    watched = session(program, **options)
    stepper = _Stepper(watched)
    watched.run([stepper])
    return stepper.steps


def traced(program: Path, **options: object) -> list[Step]:
    """The same steps from an instruction trace."""
    watched = session(program, **options)
    found: list[Step] = []
    trace = InstructionTrace(watched.kernel, take=lambda record: found.append(_step(record)))
    watched.run([trace])
    trace.close()
    return found


def _step(record: Record) -> Step:
    changed = None
    if record.register is not None and record.value is not None:
        changed = record.register, record.value
    accessed = None
    if record.address is not None and record.physical is not None:
        accessed = record.address, record.physical
    return Step(record.pid, record.tid, record.pc, changed, accessed)


class _Stepper(Observer):
    def __init__(self, watched: Session) -> None:
        self.steps: list[Step] = []
        self._kernel = watched.kernel
        self._hart: Hart = watched.kernel.hart
        self._run = self._hart.run
        self._inside = False
        self._calls: dict[Thread, tuple[int, int]] = {}
        self._hart.run = self._one_by_one  # type: ignore

    def _one_by_one(self, count: int = 0) -> Trap:
        if self._inside:  # the hart calls itself
            return self._run(count)
        for _ in range(count):
            before, after = Registers(), Registers()
            self._hart.save(before)
            bits = self._hart.instruction(before[PC])
            self._inside = True
            trap = self._run(1)
            self._inside = False
            if trap.cause == Cause.ECALL_FROM_U and self._kernel.current is not None:
                self._calls[self._kernel.current] = before[PC], before[A0]
            if trap.cause != Cause.TIMER_INTERRUPT:
                return trap
            self._hart.save(after)
            self._note(before, after, bits or 0)
        return trap

    def _note(self, before: Registers, after: Registers, bits: int) -> None:
        thread = self._kernel.current
        assert thread is not None
        changes = [n for n in range(1, COUNT) if before[n] != after[n] and n != FCSR]
        assert len(changes) <= 1
        changed = (REGISTERS[changes[0]], after[changes[0]]) if changes else None
        operand = memory_operand(decode(bits))
        accessed = None
        if operand is not None:
            base = before[operand.base] if operand.base else 0
            address = (base + operand.offset) & (1 << 64) - 1
            found = self._hart.mmu.translate(address, Access.LOAD)
            accessed = address, found.pa if isinstance(found, Translation) else 0
        self.steps.append(Step(thread.process.pid, thread.tid, before[PC], changed, accessed))

    def call_left(
        self, thread: Thread, number: int, arguments: list[int], result: int | None
    ) -> None:
        call = self._calls.pop(thread, None)
        if call is None:
            return
        pc, a0 = call
        value = a0 if result is None else result & (1 << 64) - 1
        changed = ("a0", value) if value != a0 else None
        self.steps.append(Step(thread.process.pid, thread.tid, pc, changed, None))
