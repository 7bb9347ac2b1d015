"""What an instruction makes of a register: a sum, as far as a function's frame is made of sums.

RISC-V unprivileged spec, "Integer Computational Instructions", "C: Integer Computational
Instructions" and "Stack-Pointer-Based Loads".
"""

from __future__ import annotations

from typing import NamedTuple

from emu.machine.registers import SP


class Sum(NamedTuple):
    """x[``to``] = x[``base``] + ``number``, or x[``other``] times ``number``, which is 1 or -1.

    ``base`` is -1 when it is something else, of which nothing is known.
    """

    to: int
    base: int
    number: int = 0
    other: int | None = None


def sum_of(bits: int) -> Sum | None:
    """None for an instruction that changes no register, or only x0 or a floating-point one."""
    change = _short(bits) if bits & 3 != 3 else _long(bits)
    return change if change is not None and change.to else None


def _long(bits: int) -> Sum | None:
    opcode, to, first, second = bits & 0x7F, bits >> 7 & 0x1F, bits >> 15 & 0x1F, bits >> 20 & 0x1F
    kind = bits >> 12 & 7
    if opcode in (0x13, 0x1B) and not kind:  # addi, addiw
        return Sum(to, first, _signed(bits >> 20, 12))
    if opcode == 0x37:  # lui
        return Sum(to, 0, _signed(bits >> 12, 20) << 12)
    if opcode == 0x33 and not kind and bits >> 25 in (0, 0x20):  # add, sub
        sign = -1 if bits >> 25 else 1
        if sign > 0 and second == SP:
            first, second = second, first
        return Sum(to, first, sign, second)
    return None if opcode in _NO_RESULT else Sum(to, -1)


_NO_RESULT = (0x23, 0x27, 0x63, 0x0F, 0x07, 0x43, 0x47, 0x4B, 0x4F, 0x53)
"""Stores, branches, fences; and what has its result in a floating-point register, mostly."""


def _short(bits: int) -> Sum | None:
    quadrant, kind, to = bits & 3, bits >> 13, bits >> 7 & 0x1F
    number = _signed((bits >> 12 & 1) << 5 | bits >> 2 & 0x1F, 6)
    small = 8 + (bits >> 2 & 7)
    if quadrant == 0:
        if kind == 0:  # c.addi4spn
            spread = bits >> 7 & 0x30 | bits >> 1 & 0x3C0 | bits >> 4 & 4 | bits >> 2 & 8
            return Sum(small, SP, spread)
        return Sum(small, -1) if kind in (0b010, 0b011) else None  # c.lw, c.ld
    if quadrant == 2:
        return _short_by_registers(bits, kind, to)
    if kind in (0b000, 0b001):  # c.addi, c.addiw
        return Sum(to, to, number)
    if kind == 0b010:  # c.li
        return Sum(to, 0, number)
    if kind == 0b011:  # c.lui, c.addi16sp
        return Sum(SP, SP, _of_addi16sp(bits)) if to == SP else Sum(to, 0, number << 12)
    return Sum(8 + (bits >> 7 & 7), -1) if kind == 0b100 else None


def _short_by_registers(bits: int, kind: int, to: int) -> Sum | None:
    other = bits >> 2 & 0x1F
    if kind in (0b000, 0b010, 0b011):  # c.slli, c.lwsp, c.ldsp
        return Sum(to, -1)
    if kind != 0b100 or not other:
        return None
    if not bits >> 12 & 1:  # c.mv
        return Sum(to, other)
    return Sum(to, other, 1, to) if other == SP else Sum(to, to, 1, other)  # c.add


def _of_addi16sp(bits: int) -> int:
    value = (bits >> 12 & 1) << 9 | (bits >> 3 & 3) << 7 | (bits >> 5 & 1) << 6
    return _signed(value | (bits >> 2 & 1) << 5 | (bits >> 6 & 1) << 4, 10)


def _signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> bits - 1 else value
