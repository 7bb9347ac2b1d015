"""What an instruction writes to which register, as far as that follows from registers alone.

RISC-V unprivileged spec: "Integer Computational Instructions", "F", "D" and their short forms.
Registers are words of a row: 1 to 31 for x1 to x31, 32 to 63 for f0 to f31.
"""

from __future__ import annotations

from collections.abc import Mapping

from emu.machine.isa.memory_operand import jump_link
from emu.machine.pte import VA_MASK
from emu.machine.registers import A0
from emu.observe.cfi.register_sums import Sum, sum_of

ECALL = 0x73
_F0 = 32
_TO_INTEGER = (0x14, 0x18, 0x1C)
"""OP-FP's funct5 of comparisons, of fcvt to an integer, of fmv.x and fclass."""


def result_of(bits: int) -> int:
    """The register that an instruction writes; 0 for none."""
    if bits == ECALL:
        return A0
    link = jump_link(bits)
    if link is not None:
        return link
    change = sum_of(bits)
    return change.to if change is not None else _by_floating_point(bits)


def _by_floating_point(bits: int) -> int:
    if bits & 3 != 3:
        short = {0b00_001: _F0 + 8 + (bits >> 2 & 7), 0b10_001: _F0 + (bits >> 7 & 0x1F)}
        return short.get((bits & 3) << 3 | bits >> 13, 0)  # c.fld, c.fldsp
    opcode, to = bits & 0x7F, bits >> 7 & 0x1F
    if opcode == 0x53:  # OP-FP
        return to if bits >> 27 in _TO_INTEGER else _F0 + to
    return _F0 + to if opcode in (0x07, 0x43, 0x47, 0x4B, 0x4F) else 0  # flw, fld, fmadd, …


def value_of(bits: int, pc: int, x: Mapping[int, int]) -> int | None:
    """What a sum, a shift or a jump writes, with those of the integer registers that are known."""
    if jump_link(bits) is not None:
        return pc + (4 if bits & 3 == 3 else 2) & VA_MASK
    if bits & 0x7F == 0x17:  # auipc
        return pc + _signed(bits >> 12 << 12, 32) & VA_MASK
    shifted = _shift(bits)
    if shifted is not None:
        source, by = shifted
        value = x.get(source)
        return None if value is None else (value << by if by >= 0 else value >> -by) & VA_MASK
    change = sum_of(bits)
    total = None if change is None else _sum(change, x)
    if total is None:
        return None
    narrow = bits & 0x7F == 0x1B or bits & 0xE003 == 0x2001  # addiw, c.addiw
    return (_signed(total, 32) if narrow else total) & VA_MASK


def _sum(change: Sum, x: Mapping[int, int]) -> int | None:
    base = x.get(change.base)
    if base is None or change.other is None:
        return None if base is None else base + change.number
    other = x.get(change.other)
    return None if other is None else base + other * change.number


def _shift(bits: int) -> tuple[int, int] | None:
    """(register, how far to the left) of slli and srli; None for any other."""
    if bits & 0xE003 == 0x0002:  # c.slli
        return bits >> 7 & 0x1F, bits >> 12 << 5 & 0x20 | bits >> 2 & 0x1F
    if bits & 0xEC03 == 0x8001:  # c.srli
        return 8 + (bits >> 7 & 7), -(bits >> 12 << 5 & 0x20 | bits >> 2 & 0x1F)
    if bits & 0xFC00707F == 0x1013:  # slli
        return bits >> 15 & 0x1F, bits >> 20 & 0x3F
    if bits & 0xFC00707F == 0x5013:  # srli
        return bits >> 15 & 0x1F, -(bits >> 20 & 0x3F)
    return None


def _signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> bits - 1 else value
