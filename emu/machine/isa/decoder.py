"""Fields of an instruction: a compressed one is expanded to its base form first.

Unprivileged spec, "Base Instruction Formats", "Immediate Encoding Variants" and "RV32/64G
Instruction Set Listings".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from emu.machine.isa.compressed import expand

LOAD, LOAD_FP = 0x03, 0x07
OP_IMM, AUIPC, OP_IMM_32 = 0x13, 0x17, 0x1B
STORE, STORE_FP, AMO = 0x23, 0x27, 0x2F
OP, LUI, OP_32 = 0x33, 0x37, 0x3B
MADD, MSUB, NMSUB, NMADD, OP_FP = 0x43, 0x47, 0x4B, 0x4F, 0x53
BRANCH, JALR, JAL, SYSTEM = 0x63, 0x67, 0x6F, 0x73
"""Values of the opcode field (spec, "RISC-V base opcode map")."""


class Instruction(NamedTuple):
    """Fields of the base form, whether or not the format of ``opcode`` has them.

    ``immediate`` is signed and in bytes where it is an offset; 0 for the formats without one. That
    of a shift includes funct7. ``length`` is that of the instruction as it lies in memory, 2 or 4
    bytes.
    """

    opcode: int
    rd: int
    funct3: int
    rs1: int
    rs2: int
    funct7: int
    immediate: int
    length: int


def instruction_length(low_half: int) -> int:
    """2 or 4 bytes, from the first 16 bits (spec, "Expanded Instruction-Length Encoding")."""
    return 4 if low_half & 3 == 3 else 2


@lru_cache(1 << 12)
def decode(bits: int) -> Instruction:
    """Decodes any bits; those of a reserved compressed encoding have ``opcode`` 0.

    Bits above the instruction's length are ignored.
    """
    length = instruction_length(bits)
    if length == 2:
        bits = expand(bits & 0xFFFF)
    opcode = bits & 0x7F
    immediate = _IMMEDIATES.get(opcode)
    return Instruction(
        opcode,
        bits >> 7 & 0x1F,
        bits >> 12 & 7,
        bits >> 15 & 0x1F,
        bits >> 20 & 0x1F,
        bits >> 25 & 0x7F,
        0 if immediate is None else immediate(bits),
        length,
    )


def instructions(code: bytes) -> Iterator[tuple[int, Instruction]]:
    """Yields each instruction of ``code`` with its offset. Zeroes complete a last one that is cut
    off.
    """
    at = 0
    while at + 2 <= len(code):
        length = instruction_length(code[at])
        yield at, decode(int.from_bytes(code[at : at + length], "little"))
        at += length


def j_immediate(bits: int) -> int:
    """Offset of a jal's target, in bytes; also works on an array of words of 64 bits."""
    value = bits >> 20 & 0x7FE | bits >> 9 & 0x800 | bits & 0xF_F000
    return _signed(value | bits >> 11 & 0x10_0000, 21)


def _i_immediate(bits: int) -> int:
    return _signed(bits >> 20, 12)


def _s_immediate(bits: int) -> int:
    return _signed(bits >> 20 & 0xFE0 | bits >> 7 & 0x1F, 12)


def _b_immediate(bits: int) -> int:
    value = bits >> 7 & 0x1E | bits >> 20 & 0x7E0 | bits << 4 & 0x800
    return _signed(value | bits >> 19 & 0x1000, 13)


def _u_immediate(bits: int) -> int:
    return _signed(bits & 0xFFFF_F000, 32)


def _signed(value: int, bits: int) -> int:
    sign = 1 << bits - 1
    return (value & sign - 1) - (value & sign)


_IMMEDIATES: dict[int, Callable[[int], int]] = {
    **dict.fromkeys((LOAD, LOAD_FP, OP_IMM, OP_IMM_32, JALR, SYSTEM), _i_immediate),
    **dict.fromkeys((STORE, STORE_FP), _s_immediate),
    **dict.fromkeys((LUI, AUIPC), _u_immediate),
    BRANCH: _b_immediate,
    JAL: j_immediate,
}
ECALL = decode(SYSTEM)
