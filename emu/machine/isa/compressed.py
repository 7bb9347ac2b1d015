"""Expansion of compressed instructions: each is a short form of one 32-bit base instruction.

Unprivileged spec, "C: Compressed Instructions" (tables of the "RVC Instruction Set Listings") and
"Immediate Encoding Variants".
"""

from __future__ import annotations

from functools import cache, lru_cache

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

``i`` marks the bits of the immediate, whose numbers in it follow in the same order: ``uimm`` is
unsigned, ``imm`` signed, its sign first. A capital letter marks a register, a small letter one of
x8 to x15.
"""

_OPERATIONS = """
R reserved=0 add=33 sub=40000033 xor=4033 or=6033 and=7033 addw=3b subw=4000003b
I addi=13 addiw=1b andi=7013 slli=1013 srli=5013 srai=40005013 jalr=67 ebreak=100073
I lw=2003 ld=3003 fld=3007
S sw=2023 sd=3023 fsd=3027
B beq=63 bne=1063
U lui=37
J jal=6f
"""
"""Format of the base instructions, and their fixed bits in hexadecimal."""

_RD, _RS1, _RS2 = 7, 15, 20
_FORMATS: dict[str, tuple[tuple[int, ...], dict[int, int]]] = {
    "R": ((_RD, _RS1, _RS2), {}),
    "I": ((_RD, _RS1), {bit: 20 + bit for bit in range(12)}),
    "S": ((_RS2, _RS1), {bit: bit + (7 if bit < 5 else 20) for bit in range(12)}),
    "B": ((_RS1, _RS2), {bit: bit + (7 if bit < 5 else 20) for bit in range(11)} | {11: 7, 12: 31}),
    "U": ((_RD,), {bit: bit for bit in range(12, 32)}),
    "J": ((_RD,), {bit: bit + (0 if bit > 11 else 20) for bit in range(20)} | {11: 20, 20: 31}),
}
"""Positions of a format's registers, in the order of its operands, and of each immediate bit."""

_Moved = list[tuple[int, int]]
"""Bits of the halfword that the base instruction has too, each with a factor."""
_Row = tuple[int, int, int, _Moved]
"""Mask and value of the halfwords that a row is about; fixed and moved bits of the expansion."""


@lru_cache(1 << 14)
def expand(half: int) -> int:
    """Returns the 32-bit instruction that a 16-bit one stands for, or :data:`RESERVED`."""
    for mask, value, fixed, moved in _rows().get(half & 0xE003, ()):
        if half & mask == value:
            return fixed | sum((half >> bit & 1) * factor for bit, factor in moved)
    return RESERVED


@cache
def _rows() -> dict[int, list[_Row]]:
    """The listing, by funct3 and quadrant of the halfwords."""
    operations = {}
    for form, *fields in map(str.split, _OPERATIONS.strip().splitlines()):
        for name, _, bits in (field.partition("=") for field in fields):
            operations[name] = form, int(bits, 16)
    rows: dict[int, list[_Row]] = {}
    for line in filter(None, _LISTING.splitlines()):
        pattern, _, base = line.partition("  ")
        name, *operands = base.split()
        row = _row(pattern.replace(" ", ""), *operations[name], operands)
        rows.setdefault(row[1] & 0xE003, []).append(row)
    return rows


def _row(pattern: str, form: str, fixed: int, operands: list[str]) -> _Row:
    registers, immediate = _FORMATS[form]
    moved = []
    for operand, position in zip(operands, registers, strict=False):
        if operand[0] == "x":
            fixed |= int(operand[1:]) << position
        else:
            fixed |= 8 << position if operand.islower() else 0
            bits = _bits(pattern, operand)[::-1]
            moved += [(bit, 1 << position + number) for number, bit in enumerate(bits)]
    if operands and operands[-1].endswith("]"):
        moved += _immediate(_bits(pattern, "i"), operands[-1], immediate)
    mask = int("".join("01"[each in "01"] for each in pattern), 2)
    return mask, int("".join("01"[each == "1"] for each in pattern), 2), fixed, moved


def _immediate(bits: list[int], operand: str, positions: dict[int, int]) -> _Moved:
    kind, _, layout = operand[:-1].partition("[")
    numbers = [number for part in layout.split("|") for number in _range(part)]
    moved = [(bit, 1 << positions[number]) for bit, number in zip(bits, numbers, strict=True)]
    if kind == "imm":  # the base form repeats the sign up to its own highest bit
        copies = range(max(numbers) + 1, max(positions) + 1)
        moved += [(bits[0], 1 << positions[number]) for number in copies]
    return moved


def _bits(pattern: str, letter: str) -> list[int]:
    """Bits that a letter marks, highest first."""
    return [15 - index for index, each in enumerate(pattern) if each == letter]


def _range(part: str) -> range:
    """The numbers of "7:4", highest first."""
    high, _, low = part.partition(":")
    return range(int(high), int(low or high) - 1, -1)
