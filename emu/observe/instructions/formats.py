"""Output formats of an instruction trace: lines of text, lines of JSON, or tuples.

A line is made from a template, one for each instruction and set of values it has, into which the
numbers of many instructions are formatted at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

from emu.machine.registers import NAMES
from emu.observe.instructions.decode_table import ACCESS, LocatedInstruction
from emu.observe.instructions.effects import ADDRESS, NO_REGISTER, PHYSICAL, SECOND, VALUE, Steps

REGISTERS = (
    *("zero", *NAMES[1:32]),
    *(f"ft{n}" for n in range(8)),
    *("fs0", "fs1"),
    *(f"fa{n}" for n in range(8)),
    *(f"fs{n}" for n in range(2, 12)),
    *(f"ft{n}" for n in range(8, 12)),
)
"""Names of the words of a row, as in the disassembly."""

_TEXT_WIDTH = 24


class Record(NamedTuple):
    """An instruction that has completed. Addresses are in bytes; ``size`` is that of the access.

    ``value`` has 64 bits, raw also for a floating-point register. ``second`` is the physical
    address of the second page of an access across two pages.
    """

    pid: int
    tid: int
    pc: int
    code: bytes
    text: str
    register: str | None
    value: int | None
    access: str | None
    address: int | None
    physical: int | None
    size: int | None
    second: int | None


def line_start(instruction: LocatedInstruction) -> str:
    """Address and text of an instruction, as a line of text begins."""
    return f"{instruction.pc:#x}  {instruction.text:<{_TEXT_WIDTH}}"


class LineFormat(Protocol):
    """Format of a line."""

    def prefix(self, pid: int, tid: int) -> bytes:
        """The start of a line."""

    def template(self, instruction: LocatedInstruction, register: int, across: bool) -> bytes:
        """The rest, without a newline, with a %x for each valid number, in order."""

    def unfinished(self, instruction: LocatedInstruction, why: str) -> bytes:
        """The rest for an instruction that did not complete."""


class TextFormat:
    """``[pid 2] 0x1071a  sb a1, 0(a5)   a5=0x7b000  store 0x7b000 → pa 0x8004b000 (1)``.

    In this order: pid, and tid where it differs; pc; instruction; the register that it changed with
    its new value; the access, its virtual and physical address and size in bytes. Two physical
    addresses joined by + are those of an access across two pages; 0x0 is for a failed sc.
    """

    def prefix(self, pid: int, tid: int) -> bytes:
        return (f"[pid {pid}] " if pid == tid else f"[pid {pid} tid {tid}] ").encode()

    def template(self, instruction: LocatedInstruction, register: int, across: bool) -> bytes:
        parts = [self._start(instruction)]
        if register != NO_REGISTER:
            parts.append(f"{REGISTERS[register]}=0x%x")
        if instruction.operand is not None:
            kind, size = ACCESS[instruction.operand.kind], instruction.operand.size
            second = "+0x%x" if across else ""
            parts.append(f"{kind} 0x%x → pa 0x%x{second} ({size})")
        return "  ".join(parts).rstrip().encode()

    def unfinished(self, instruction: LocatedInstruction, why: str) -> bytes:
        return f"{self._start(instruction)}  not completed: {why}".encode()

    def _start(self, instruction: LocatedInstruction) -> str:
        return line_start(instruction).replace("%", "%%")


class JsonFormat:
    """One object a line; its keys are those of :class:`Record`, without those that are None.

    Addresses, values and ``code`` are hexadecimal strings, since they may not fit a double.
    """

    def prefix(self, pid: int, tid: int) -> bytes:
        return f'{{"pid": {pid}, "tid": {tid}, '.encode()

    def template(self, instruction: LocatedInstruction, register: int, across: bool) -> bytes:
        parts = [self._start(instruction)]
        if register != NO_REGISTER:
            parts.append(f'"register": "{REGISTERS[register]}", "value": "0x%x"')
        if instruction.operand is not None:
            kind, size = ACCESS[instruction.operand.kind], instruction.operand.size
            parts.append(f'"access": "{kind}", "size": {size}')
            parts.append('"address": "0x%x", "physical": "0x%x"')
        if across:
            parts.append('"second": "0x%x"')
        return (", ".join(parts) + "}").encode()

    def unfinished(self, instruction: LocatedInstruction, why: str) -> bytes:
        return f'{self._start(instruction)}, "not_completed": {json.dumps(why)}}}'.encode()

    def _start(self, instruction: LocatedInstruction) -> str:
        code = int.from_bytes(instruction.code, "little")
        text = json.dumps(instruction.text).replace("%", "%%")
        return f'"pc": "{instruction.pc:#x}", "code": "{code:#x}", "text": {text}'


class _Templates(dict[int, bytes]):
    """Maps id << 8 | across << 7 | register to a template."""

    def __init__(self, form: LineFormat, instructions: list[LocatedInstruction]) -> None:
        self._form = form
        self._instructions = instructions

    def __missing__(self, key: int) -> bytes:
        instruction = self._instructions[key >> 8]
        template = self._form.template(instruction, key & 0x7F, bool(key & 0x80))
        self[key] = template
        return template


class LineWriter:
    """Passes whole lines to ``write``, many at a time, in UTF-8."""

    def __init__(
        self,
        form: LineFormat,
        write: Callable[[bytes], object],
        instructions: list[LocatedInstruction],
    ) -> None:
        self._form = form
        self._write = write
        self._templates = _Templates(form, instructions)

    def steps(self, pid: int, tid: int, steps: Steps) -> None:
        if not len(steps.ids):
            return
        prefix = self._form.prefix(pid, tid)
        keys = steps.ids << 8 | steps.used[:, SECOND].astype(int) << 7 | steps.registers
        templates = self._templates
        lines = (b"\n" + prefix).join([templates[key] for key in keys.tolist()])
        self._write(prefix + lines % tuple(steps.numbers[steps.used].tolist()) + b"\n")

    def unfinished(self, pid: int, tid: int, instruction: LocatedInstruction, why: str) -> None:
        text = self._form.unfinished(instruction, why).replace(b"%%", b"%")
        self._write(self._form.prefix(pid, tid) + text + b"\n")


class RecordWriter:
    """Passes each :class:`Record` to ``take``."""

    def __init__(
        self, take: Callable[[Record], object], instructions: list[LocatedInstruction]
    ) -> None:
        self._take = take
        self._instructions = instructions

    def steps(self, pid: int, tid: int, steps: Steps) -> None:
        for record in self._records(pid, tid, steps):
            self._take(record)

    def _records(self, pid: int, tid: int, steps: Steps) -> Iterator[Record]:
        rows = zip(
            steps.ids.tolist(),
            steps.registers.tolist(),
            steps.numbers.tolist(),
            steps.used.tolist(),
            strict=True,
        )
        for number, register, numbers, used in rows:
            instruction = self._instructions[number]
            operand = instruction.operand
            numbers_used: list[Any] = [
                n if is_used else None for n, is_used in zip(numbers, used, strict=True)
            ]
            yield Record(
                pid,
                tid,
                instruction.pc,
                instruction.code,
                instruction.text,
                None if register == NO_REGISTER else REGISTERS[register],
                numbers_used[VALUE],
                None if operand is None else ACCESS[operand.kind],
                numbers_used[ADDRESS],
                numbers_used[PHYSICAL],
                None if operand is None else operand.size,
                numbers_used[SECOND],
            )

    def unfinished(self, pid: int, tid: int, instruction: LocatedInstruction, why: str) -> None:
        """Nothing is recorded: a record is of an instruction that has completed."""
