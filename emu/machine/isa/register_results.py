"""The register that an instruction writes, and the sum that it writes there, if it is one.

Unprivileged spec, "RV32/64G Instruction Set Listings".
"""

from __future__ import annotations

from typing import NamedTuple

from emu.machine.isa import decoder as d
from emu.machine.isa.decoder import Instruction
from emu.machine.registers import F0, SP

_INTEGER = frozenset(
    (d.LOAD, d.OP_IMM, d.AUIPC, d.OP_IMM_32, d.AMO, d.OP, d.LUI, d.OP_32, d.JALR, d.JAL, d.SYSTEM)
)
_FLOATING = frozenset((d.LOAD_FP, d.MADD, d.MSUB, d.NMSUB, d.NMADD))
_TO_INTEGER = (0x14, 0x18, 0x1C)
"""OP-FP's funct5 of comparisons, of fcvt to an integer, of fmv.x and fclass."""


def written_register(instruction: Instruction) -> int:
    """Number of the register that the instruction itself writes: 1 to 31 for x1 to x31, 32 to 63
    for f0 to f31, 0 for none.
    """
    opcode, rd = instruction.opcode, instruction.rd
    if opcode in _INTEGER:
        return rd
    if opcode == d.OP_FP:
        return rd if instruction.funct7 >> 2 in _TO_INTEGER else F0 + rd
    return F0 + rd if opcode in _FLOATING else 0


class Sum(NamedTuple):
    """x[``base``] + ``number``, or x[``base``] + ``number`` times x[``other``], with 1 or -1."""

    base: int
    number: int
    other: int | None = None


def sum_of(instruction: Instruction) -> Sum | None:
    """Result of addi, addiw, lui, add or sub (addiw: before it is cut to 32 bits); None for
    any other instruction. An added sp is the base, an added x0 is not.
    """
    opcode, _, funct3, first, second, funct7, immediate, _ = instruction
    if opcode == d.LUI:
        return Sum(0, immediate)
    if funct3:
        return None
    if opcode in (d.OP_IMM, d.OP_IMM_32):
        return Sum(first, immediate)
    if opcode != d.OP or funct7 not in (0, 0x20):
        return None
    if funct7:
        return Sum(first, -1, second)
    return Sum(second, 1, first) if second == SP or not first else Sum(first, 1, second)
