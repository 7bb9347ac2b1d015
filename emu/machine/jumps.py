"""Targets of jumps that save no return address, and of branches.

Unprivileged spec, "RV32I Base Integer Instruction Set" (JAL, JALR, BEQ and similar) and "C
Extension" (C.J, C.JR, C.BEQZ, C.BNEZ).
"""

from __future__ import annotations

from typing import NamedTuple

from emu.machine.decode import instruction_length

_C_J = ((12, 11), (11, 4), (10, 9), (9, 8), (8, 10), (7, 6), (6, 7), (5, 3), (4, 2), (3, 1), (2, 5))
"""C.J: (bit of the instruction, bit of the offset)."""
_C_B = ((12, 8), (11, 4), (10, 3), (6, 7), (5, 6), (4, 2), (3, 1), (2, 5))
"""Immediate bits of C.BEQZ and C.BNEZ, in the same form."""


class Jump(NamedTuple):
    """To where ``register`` says, or where that is 0 so many bytes from the jump itself."""

    register: int
    offset: int


def plain_jump(bits: int) -> Jump | None:
    """None for an instruction that is no jump, is a branch, or links."""
    return _long(bits) if instruction_length(bits & 0xFFFF) == 4 else _short(bits & 0xFFFF)


def _long(bits: int) -> Jump | None:
    opcode, rd = bits & 0x7F, bits >> 7 & 31
    if rd or opcode not in (0x67, 0x6F):
        return None
    if opcode == 0x67:
        return Jump(bits >> 15 & 31, 0)
    offset = (bits >> 21 & 0x3FF) << 1 | (bits >> 20 & 1) << 11 | (bits >> 12 & 0xFF) << 12
    return Jump(0, offset - ((bits >> 31) << 20))


def _short(bits: int) -> Jump | None:
    if bits & 0xF07F == 0x8002:
        register = bits >> 7 & 31
        return Jump(register, 0) if register else None
    if bits & 0xE003 != 0xA001:
        return None
    offset = sum((bits >> source & 1) << target for source, target in _C_J)
    return Jump(0, offset - ((offset >> 11) << 12))


def branch_offset(bits: int) -> int | None:
    """Offset of a conditional branch's target; None for another instruction."""
    if bits & 3 == 3:
        if bits & 0x7F != 0x63:
            return None
        offset = (bits >> 8 & 0xF) << 1 | (bits >> 25 & 0x3F) << 5 | (bits >> 7 & 1) << 11
        return offset - ((bits >> 31 & 1) << 12)
    if bits & 0xC003 != 0xC001:
        return None
    offset = sum((bits >> source & 1) << target for source, target in _C_B)
    return offset - ((offset >> 8) << 9)
