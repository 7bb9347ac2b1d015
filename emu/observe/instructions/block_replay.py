"""Effects of each instruction of a basic block, from the registers before and after the block.

The last write to a register in a block is its value after the block. A value that is overwritten
within the block is computed if it is a sum, a shift or a return address of known values; a value
that is loaded and overwritten is unknown, and so is an address that depends on it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

from emu.machine.isa.decoder import instructions
from emu.machine.isa.memory_operand import memory_operand
from emu.machine.pte import VA_MASK
from emu.machine.registers import A0
from emu.machine.unicorn_registers import WORDS
from emu.observe.instructions.decode_table import ACCESS, LocatedInstruction
from emu.observe.instructions.formats import REGISTERS, line_start
from emu.observe.instructions.result_values import result_register, result_value

_ROW = struct.Struct(f"={WORDS}Q")


class ExecutedBlock(NamedTuple):
    """Code that was executed from start to end, with the rows of registers before and after it."""

    start: int
    size: int
    before: bytes
    after: bytes
    waits: bool = False
    """Its last instruction is an ecall whose result ``after`` does not have."""

    def returned(self, result: int) -> ExecutedBlock:
        """The block with the ecall's result in the registers after it."""
        a0 = (result & VA_MASK).to_bytes(8, "little")
        after = self.after[: 8 * A0] + a0 + self.after[8 * A0 + 8 :]
        return self._replace(after=after, waits=False)


@dataclass(frozen=True)
class Executed(LocatedInstruction):
    """An instruction that completed.

    ``register`` is the index, in a row, of the register that it changed, 0 for none; ``value`` and
    ``address`` are None if unknown.
    """

    register: int = 0
    value: int | None = None
    address: int | None = None

    @property
    def line(self) -> str:
        """The line of an instruction trace, without physical addresses."""
        parts = [line_start(self)]
        if self.register:
            parts.append(f"{REGISTERS[self.register]}={_number(self.value)}")
        if self.operand is not None:
            kind, size = ACCESS[self.operand.kind], self.operand.size
            parts.append(f"{kind} {_number(self.address)} ({size})")
        return "  ".join(parts).rstrip()


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:#x}"


def replay(block: ExecutedBlock, code: bytes | None) -> list[Executed]:
    """The block's instructions in order; ``code`` is its content, None if it is not mapped."""
    if code is None:
        return [Executed(block.start, b"", None)]
    decoded = list(instructions(code))
    results = [result_register(instruction) for _, instruction in decoded]
    last = {register: number for number, register in enumerate(results)}
    after = _ROW.unpack(block.after)
    known = dict(enumerate(_ROW.unpack(block.before)))
    known[0] = 0
    steps = []
    for number, (at, instruction) in enumerate(decoded):
        pc = block.start + at
        register, is_last = results[number], last[results[number]] == number
        value = after[register] if is_last else result_value(instruction, pc, known)
        operand = memory_operand(instruction)
        address = None
        if operand is not None and operand.base in known:
            address = known[operand.base] + operand.offset & VA_MASK
        changed = register and not (block.waits and number == len(decoded) - 1)
        if value is not None and known.get(register) == value:
            changed = 0
        content = code[at : at + instruction.length]
        steps.append(Executed(pc, content, operand, register if changed else 0, value, address))
        _note(known, register, value)
    return steps


def _note(known: dict[int, int], register: int, value: int | None) -> None:
    if not register:
        return
    if value is None:
        known.pop(register, None)
    else:
        known[register] = value
