"""Expansion of compressed instructions: each is a short form of one 32-bit base instruction.

Unprivileged spec, "C: Compressed Instructions", tables of the "RVC Instruction Set Listings".
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from typing import NamedTuple

RESERVED = 0
"""Expansion of a reserved encoding; as an instruction it is illegal too."""

_LISTING = """
000 00000000 ... 00     reserved
000 iiiiiiii ddd 00     addi d x2 uimm[5:4|9:6|2|3]
001 iii sss ii ddd 00   fld d s uimm[5:3|7:6]
010 iii sss ii ddd 00   lw d s uimm[5:3|2|6]
011 iii sss ii ddd 00   ld d s uimm[5:3|7:6]
101 iii sss ii ttt 00   fsd t s uimm[5:3|7:6]
110 iii sss ii ttt 00   sw t s uimm[5:3|2|6]
111 iii sss ii ttt 00   sd t s uimm[5:3|7:6]

000 i DDDDD iiiii 01    addi D D imm[5|4:0]
001 . 00000 ..... 01    reserved
001 i DDDDD iiiii 01    addiw D D imm[5|4:0]
010 i DDDDD iiiii 01    addi D x0 imm[5|4:0]
011 0 ..... 00000 01    reserved
011 i 00010 iiiii 01    addi x2 x2 imm[9|4|6|8:7|5]
011 i DDDDD iiiii 01    lui D imm[17|16:12]
100 i 00 ddd iiiii 01   srli d d uimm[5|4:0]
100 i 01 ddd iiiii 01   srai d d uimm[5|4:0]
100 i 10 ddd iiiii 01   andi d d imm[5|4:0]
100 0 11 ddd 00 ttt 01  sub d d t
100 0 11 ddd 01 ttt 01  xor d d t
100 0 11 ddd 10 ttt 01  or d d t
100 0 11 ddd 11 ttt 01  and d d t
100 1 11 ddd 00 ttt 01  subw d d t
100 1 11 ddd 01 ttt 01  addw d d t
101 iiiiiiiiiii 01      jal x0 imm[11|4|9:8|10|6|7|3:1|5]
110 iii sss iiiii 01    beq s x0 imm[8|4:3|7:6|2:1|5]
111 iii sss iiiii 01    bne s x0 imm[8|4:3|7:6|2:1|5]

000 i DDDDD iiiii 10    slli D D uimm[5|4:0]
001 i DDDDD iiiii 10    fld D x2 uimm[5|4:3|8:6]
010 . 00000 ..... 10    reserved
010 i DDDDD iiiii 10    lw D x2 uimm[5|4:2|7:6]
011 . 00000 ..... 10    reserved
011 i DDDDD iiiii 10    ld D x2 uimm[5|4:3|8:6]
100 0 00000 00000 10    reserved
100 0 SSSSS 00000 10    jalr x0 S
100 0 DDDDD TTTTT 10    add D x0 T
100 1 00000 00000 10    ebreak
100 1 SSSSS 00000 10    jalr x1 S
100 1 DDDDD TTTTT 10    add D D T
101 iiiiii TTTTT 10     fsd T x2 uimm[5:3|8:6]
110 iiiiii TTTTT 10     sw T x2 uimm[5:2|7:6]
111 iiiiii TTTTT 10     sd T x2 uimm[5:3|8:6]
"""
"""Fields of the 16 bits, and the base instruction with its operands.

``i`` marks the bits of the immediate, whose numbers in it follow in the same order; ``imm`` is
signed, ``uimm`` unsigned. A capital letter marks a register, a small letter one of x8 to x15.
"""

_OPERATIONS = {
    "reserved": ("R", RESERVED),
    "lui": ("U", 0x37),
    "jal": ("J", 0x6F),
    "jalr": ("I", 0x67),
    "beq": ("B", 0x63),
    "bne": ("B", 0x1063),
    "lw": ("I", 0x2003),
    "ld": ("I", 0x3003),
    "fld": ("I", 0x3007),
    "sw": ("S", 0x2023),
    "sd": ("S", 0x3023),
    "fsd": ("S", 0x3027),
    "addi": ("I", 0x13),
    "addiw": ("I", 0x1B),
    "andi": ("I", 0x7013),
    "slli": ("I", 0x1013),
    "srli": ("I", 0x5013),
    "srai": ("I", 0x4000_5013),
    "add": ("R", 0x33),
    "sub": ("R", 0x4000_0033),
    "xor": ("R", 0x4033),
    "or": ("R", 0x6033),
    "and": ("R", 0x7033),
    "addw": ("R", 0x3B),
    "subw": ("R", 0x4000_003B),
    "ebreak": ("I", 0x10_0073),
}
"""Format and fixed bits of the base instructions."""

_RD, _RS1, _RS2 = 7, 15, 20
_REGISTERS = {
    "R": (_RD, _RS1, _RS2),
    "I": (_RD, _RS1),
    "S": (_RS2, _RS1),
    "B": (_RS1, _RS2),
    "U": (_RD,),
    "J": (_RD,),
}
_SIGN = {"I": 11, "B": 12, "U": 31, "J": 20}
"""Highest bit of each format's immediate."""


class _Row(NamedTuple):
    """A row of the listing: applies to halfwords of which the bits in ``mask`` are ``value``."""

    mask: int
    value: int
    fixed: int
    fields: list[tuple[int, int, int]]
    """(right shift, mask, factor) of each field that is moved into the base instruction."""


@lru_cache(1 << 14)
def expand(half: int) -> int:
    """Returns the 32-bit instruction that a 16-bit one stands for, or :data:`RESERVED`."""
    for mask, value, fixed, fields in _rows().get(half & 0xE003, ()):
        if half & mask == value:
            return fixed | sum((half >> shift & bits) * factor for shift, bits, factor in fields)
    return RESERVED


@cache
def _rows() -> dict[int, list[_Row]]:
    """The listing, by quadrant and funct3 of the halfwords."""
    rows: dict[int, list[_Row]] = {}
    for line in _LISTING.splitlines():
        if line:
            pattern, _, base = line.partition("  ")
            row = _row(pattern.replace(" ", ""), *base.split())
            rows.setdefault(row.value & 0xE003, []).append(row)
    return rows


def _row(pattern: str, operation: str, *operands: str) -> _Row:
    form, fixed = _OPERATIONS[operation]
    fields = []
    for operand, position in zip(operands, _REGISTERS[form], strict=False):
        if operand.startswith("x"):
            fixed |= int(operand[1:]) << position
            continue
        shift, width = 15 - pattern.rindex(operand), pattern.count(operand)
        fields.append((shift, (1 << width) - 1, 1 << position))
        if operand.islower():
            fixed |= 8 << position
    if operands and operands[-1].endswith("]"):
        fields += _immediate(form, pattern, operands[-1])
    mask = int("".join("01"[each in "01"] for each in pattern), 2)
    value = int("".join("01"[each == "1"] for each in pattern), 2)
    return _Row(mask, value, fixed, fields)


def _immediate(form: str, pattern: str, layout: str) -> Iterator[tuple[int, int, int]]:
    """The fields of an immediate, bit by bit, its sign as often as the base form repeats it."""
    kind, _, ranges = layout.rstrip("]").partition("[")
    bits = [bit for each in ranges.split("|") for bit in _range(each)]
    sources = [15 - index for index, each in enumerate(pattern) if each == "i"]
    for source, bit in zip(sources, bits, strict=True):
        last = _SIGN[form] if kind == "imm" and bit == max(bits) else bit
        yield source, 1, sum(1 << _position(form, each) for each in range(bit, last + 1))


def _range(text: str) -> range:
    """The bits of "7:4", highest first."""
    high, _, low = text.partition(":")
    return range(int(high), int(low or high) - 1, -1)


def _position(form: str, bit: int) -> int:
    """The bit of an instruction that holds a bit of its immediate (spec, "Immediate Encoding
    Variants").
    """
    if form == "U" or (form == "J" and 12 <= bit < 20):
        return bit
    if (form, bit) in (("B", 12), ("J", 20)):
        return 31
    if (form, bit) == ("B", 11):
        return 7
    if (form, bit) == ("J", 11):
        return 20
    return 7 + bit if form in ("S", "B") and bit < 5 else 20 + bit
