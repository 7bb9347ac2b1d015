"""Results of instructions: the register, and the value where it follows from other registers.

RISC-V unprivileged spec, "RV32/64G Instruction Set Listings". Registers are words of a row: 1 to 31
for x1 to x31, 32 to 63 for f0 to f31.
"""

from __future__ import annotations

from collections.abc import Mapping

from emu.machine.isa.decoder import AUIPC, ECALL, JAL, JALR, OP_IMM, OP_IMM_32, Instruction
from emu.machine.isa.register_results import sum_of, written_register
from emu.machine.pte import VA_MASK
from emu.machine.registers import A0

_SLLI, _SRLI = 1, 5
"""funct3; srai differs from srli in funct7."""


def result_register(instruction: Instruction) -> int:
    """The register that has the instruction's result, an ecall's included; 0 for none."""
    return A0 if instruction == ECALL else written_register(instruction)


def result_value(instruction: Instruction, pc: int, x: Mapping[int, int]) -> int | None:
    """The value that a sum, a shift to the left or an unsigned one to the right, auipc or a jump at
    ``pc`` writes; None for any other instruction, or if it depends on a register not in ``x``.
    """
    opcode, _, funct3, rs1, _, funct7, immediate, length = instruction
    if opcode in (JAL, JALR):
        return (pc + length) & VA_MASK
    if opcode == AUIPC:
        return (pc + immediate) & VA_MASK
    if opcode == OP_IMM and funct3 in (_SLLI, _SRLI):
        value = None if funct7 >> 1 else x.get(rs1)
        if value is None:
            return None
        return (value << immediate if funct3 == _SLLI else value >> immediate) & VA_MASK
    total = _sum(instruction, x)
    if total is not None and opcode == OP_IMM_32:
        total = (total & 0x7FFF_FFFF) - (total & 0x8000_0000)
    return None if total is None else total & VA_MASK


def _sum(instruction: Instruction, x: Mapping[int, int]) -> int | None:
    total = sum_of(instruction)
    base = None if total is None else x.get(total.base)
    if total is None or base is None or total.other is None:
        return None if total is None or base is None else base + total.number
    other = x.get(total.other)
    return None if other is None else base + other * total.number
