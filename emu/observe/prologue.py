"""How to find a function's caller from its own code, where the file says nothing about it.

A compiler's function moves sp down and saves ra, and s0, at fixed offsets; what was done up to a pc
is seen by reading the code from the function's start. After a return or a jump away the frame is
again as in the body, for what follows was branched to from there.

RISC-V unprivileged spec, "RV64I" and "C": addi, sd, c.addi, c.addi16sp, c.sdsp, jal, jalr, c.jr.
"""

from __future__ import annotations

from emu.machine.decode import Kind, instruction_length, memory_operand
from emu.machine.registers import FP, RA, SP
from emu.observe.cfi_program import Rule

LONGEST = 1 << 14
"""Bytes of a function that are worth reading."""


def prologue_rule(code: bytes) -> Rule | None:
    """The rule after ``code``, which begins a function; None when it is no compiler's usual one.

    A function that makes no frame and saves nothing is taken for a leaf, whose caller ra has.
    """
    depth, deepest = 0, 0
    saved: dict[int, int] = {}
    at = 0
    while at + 2 <= len(code):
        size = instruction_length(code[at])
        bits = int.from_bytes(code[at : at + size], "little")
        moved = _added_to_sp(bits)
        if moved is None:
            return None
        depth -= moved
        deepest = max(deepest, depth)
        if depth == deepest:
            _note_save(bits, depth, saved)
        if _leaves(bits):
            depth = deepest
        at += size
    if depth < 0:
        return None
    held = saved if depth else {}
    return Rule(SP, depth, held.get(RA), held.get(FP), certain=False)


def _note_save(bits: int, depth: int, saved: dict[int, int]) -> None:
    """Notes where ra or s0 is saved, from the CFA; the first time counts."""
    operand = memory_operand(bits)
    if operand is None or operand.kind is not Kind.STORE or operand.base != SP:
        return
    if operand.size != 8 or not depth:
        return
    register = bits >> 20 & 0x1F if operand.length == 4 else bits >> 2 & 0x1F
    if operand.length == 4 and bits & 0x7F != 0x23:
        return  # fsd
    if operand.length == 2 and bits >> 13 != 0b111:
        return  # c.fsdsp
    if register in (RA, FP):
        saved.setdefault(register, operand.offset - depth)


def _added_to_sp(bits: int) -> int | None:
    """What the instruction adds to sp, 0 if it leaves it; None when it makes it something else."""
    if bits & 3 != 3:
        return _added_by_compressed(bits)
    if bits >> 7 & 0x1F != SP:
        return 0
    opcode = bits & 0x7F
    if opcode == 0x13 and not bits >> 12 & 7 and bits >> 15 & 0x1F == SP:  # addi sp, sp, n
        return _signed(bits >> 20, 12)
    writes = opcode not in (0x23, 0x27, 0x63, 0x73, 0x0F, 0x07, 0x43, 0x47, 0x4B, 0x4F, 0x53)
    return None if writes else 0


def _added_by_compressed(bits: int) -> int | None:
    quadrant, kind, rd = bits & 3, bits >> 13, bits >> 7 & 0x1F
    if rd != SP:
        return 0
    if quadrant == 1 and kind == 0b000:  # c.addi sp, n
        return _signed((bits >> 12 & 1) << 5 | bits >> 2 & 0x1F, 6)
    if quadrant == 1 and kind == 0b011:  # c.addi16sp
        value = (bits >> 12 & 1) << 9 | (bits >> 3 & 3) << 7 | (bits >> 5 & 1) << 6
        value |= (bits >> 2 & 1) << 5 | (bits >> 6 & 1) << 4
        return _signed(value, 10)
    sets = (quadrant == 1 and kind in (0b001, 0b010)) or (quadrant == 2 and kind in (0, 2, 3))
    moves = quadrant == 2 and kind == 0b100 and bits >> 2 & 0x1F
    return None if sets or moves else 0


def _leaves(bits: int) -> bool:
    """Whether what follows is only reached by a branch: a return, or a jump that does not link."""
    if bits & 3 != 3:
        jump = bits & 3 == 1 and bits >> 13 == 0b101  # c.j
        register = bits & 0xF07F == 0x8002 and bool(bits >> 7 & 0x1F)  # c.jr
        return jump or register
    return bits & 0x7F in (0x6F, 0x67) and not bits >> 7 & 0x1F


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> bits - 1 & 1 else value
