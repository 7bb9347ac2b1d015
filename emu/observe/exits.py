"""How a function's code leaves it: its returns, and its jumps to other functions (tail calls).

Unprivileged spec, "RV32I Base Integer Instruction Set" (JAL, JALR) and "C Extension" (C.J, C.JR).
"""

from __future__ import annotations

from typing import NamedTuple

from emu.machine.decode import instruction_length
from emu.machine.registers import RA

_C_J = ((12, 11), (11, 4), (10, 9), (9, 8), (8, 10), (7, 6), (6, 7), (5, 3), (4, 2), (3, 1), (2, 5))
"""C.J: (bit of the instruction, bit of the offset)."""


class Exits(NamedTuple):
    """Offsets of instructions in a function's code."""

    returns: list[int]
    jumps: list[int]
    """To elsewhere, or to where a register says."""


def exits(code: bytes) -> Exits:
    found = Exits([], [])
    at = 0
    while at + 2 <= len(code):
        bits = int.from_bytes(code[at : at + 4], "little")
        length = instruction_length(bits & 0xFFFF)
        register, offset = _jump_short(bits & 0xFFFF) if length == 2 else _jump(bits)
        if register == RA:
            found.returns.append(at)
        elif register or (offset and not 0 <= at + offset < len(code)):
            found.jumps.append(at)
        at += length
    return found


def _jump(bits: int) -> tuple[int, int]:
    """(register, offset) that the instruction jumps to without a link; zeroes if it does not."""
    opcode, rd = bits & 0x7F, bits >> 7 & 31
    if rd or opcode not in (0x67, 0x6F):
        return 0, 0
    if opcode == 0x67:
        return bits >> 15 & 31, 0
    offset = (bits >> 21 & 0x3FF) << 1 | (bits >> 20 & 1) << 11 | (bits >> 12 & 0xFF) << 12
    return 0, offset - ((bits >> 31) << 20)


def _jump_short(bits: int) -> tuple[int, int]:
    if bits & 0xF07F == 0x8002:
        return bits >> 7 & 31, 0
    if bits & 0xE003 != 0xA001:
        return 0, 0
    offset = sum((bits >> source & 1) << target for source, target in _C_J)
    return 0, offset - ((offset >> 11) << 12)
