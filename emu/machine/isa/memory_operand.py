"""Which address an instruction loads or stores: base register, offset and size.

The engine reports only the page of a faulting access, and an atomic's first miss as a load. The
exact stval, and whether an atomic faults as a store, are found by decoding the instruction at epc
(unprivileged spec: "Load and Store Instructions", "A", "F", "D", and the "C" formats CL, CS, CI,
CSS).
"""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple


class Kind(Enum):
    LOAD = auto()
    STORE = auto()
    LOAD_RESERVED = auto()
    STORE_CONDITIONAL = auto()
    AMO = auto()

    @property
    def faults_as_store(self) -> bool:
        """AMO and SC raise store faults even when the load part fails ("A" extension)."""
        return self in (Kind.STORE, Kind.STORE_CONDITIONAL, Kind.AMO)


class MemoryOperand(NamedTuple):
    """An access of ``size`` bytes at x[``base``] + ``offset``, by an instruction of ``length``."""

    kind: Kind
    base: int
    offset: int
    size: int
    length: int


def instruction_length(low_half: int) -> int:
    """2 or 4 bytes, from the first 16 bits (unprivileged spec, "Instruction-Length Encoding")."""
    return 4 if low_half & 3 == 3 else 2


def memory_operand(instruction: int) -> MemoryOperand | None:
    """The access an instruction makes, None when it makes none."""
    if instruction_length(instruction) == 2:
        return _compressed(instruction & 0xFFFF)
    opcode = instruction & 0x7F
    base = instruction >> 15 & 0x1F
    width = instruction >> 12 & 7
    if opcode in (0x03, 0x07):  # LOAD, LOAD-FP
        return MemoryOperand(Kind.LOAD, base, _signed(instruction >> 20, 12), 1 << (width & 3), 4)
    if opcode in (0x23, 0x27):  # STORE, STORE-FP
        offset = _signed(instruction >> 25 << 5 | instruction >> 7 & 0x1F, 12)
        return MemoryOperand(Kind.STORE, base, offset, 1 << (width & 3), 4)
    if opcode == 0x2F:  # AMO
        kind = {2: Kind.LOAD_RESERVED, 3: Kind.STORE_CONDITIONAL}.get(instruction >> 27, Kind.AMO)
        return MemoryOperand(kind, base, 0, 1 << width, 4)
    return None


# quadrant << 3 | funct3 of the compressed instructions that access memory.
_CL_CS = {
    0b00_001: (Kind.LOAD, 8),  # c.fld
    0b00_010: (Kind.LOAD, 4),  # c.lw
    0b00_011: (Kind.LOAD, 8),  # c.ld
    0b00_101: (Kind.STORE, 8),  # c.fsd
    0b00_110: (Kind.STORE, 4),  # c.sw
    0b00_111: (Kind.STORE, 8),  # c.sd
}
_CI_CSS = {
    0b10_001: (Kind.LOAD, 8),  # c.fldsp
    0b10_010: (Kind.LOAD, 4),  # c.lwsp
    0b10_011: (Kind.LOAD, 8),  # c.ldsp
    0b10_101: (Kind.STORE, 8),  # c.fsdsp
    0b10_110: (Kind.STORE, 4),  # c.swsp
    0b10_111: (Kind.STORE, 8),  # c.sdsp
}
_SP = 2


def _compressed(half: int) -> MemoryOperand | None:
    key = (half & 3) << 3 | half >> 13
    if key in _CL_CS:
        kind, size = _CL_CS[key]
        offset = (half >> 10 & 7) << 3
        if size == 4:
            offset |= (half >> 6 & 1) << 2 | (half >> 5 & 1) << 6
        else:
            offset |= (half >> 5 & 3) << 6
        return MemoryOperand(kind, 8 + (half >> 7 & 7), offset, size, 2)
    if key not in _CI_CSS:
        return None
    kind, size = _CI_CSS[key]
    if kind is Kind.LOAD:
        offset = (half >> 12 & 1) << 5
        if size == 4:
            offset |= (half >> 4 & 7) << 2 | (half >> 2 & 3) << 6
        else:
            offset |= (half >> 5 & 3) << 3 | (half >> 2 & 7) << 6
    elif size == 4:
        offset = (half >> 9 & 0xF) << 2 | (half >> 7 & 3) << 6
    else:
        offset = (half >> 10 & 7) << 3 | (half >> 7 & 7) << 6
    return MemoryOperand(kind, _SP, offset, size, 2)


def jump_link(instruction: int) -> int | None:
    """The register in which a jump or branch leaves its return address, 0 for none; None for an
    instruction that is neither (unprivileged spec, "Control Transfer Instructions").
    """
    if instruction_length(instruction) == 2:
        return _compressed_link(instruction & 0xFFFF)
    opcode = instruction & 0x7F
    if opcode in (0x67, 0x6F):  # JALR, JAL
        return instruction >> 7 & 0x1F
    return 0 if opcode == 0x63 else None  # BRANCH


def _compressed_link(half: int) -> int | None:
    key = (half & 3) << 3 | half >> 13
    if key in (0b01_101, 0b01_110, 0b01_111):  # c.j, c.beqz, c.bnez
        return 0
    if key != 0b10_100 or half >> 2 & 0x1F or not half >> 7 & 0x1F:  # c.mv, c.add, c.ebreak
        return None
    return half >> 12 & 1  # c.jr, c.jalr: the latter links in ra


def _signed(value: int, bits: int) -> int:
    sign = 1 << bits - 1
    return (value & sign - 1) - (value & sign)


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
