"""Exits of a function in its code: returns, and jumps to other functions (tail calls)."""

from __future__ import annotations

from typing import NamedTuple

from emu.machine.isa.decoder import JAL, JALR, instructions
from emu.machine.registers import RA


class Exits(NamedTuple):
    """Offsets of instructions in a function's code."""

    returns: list[int]
    jumps: list[int]
    """Jumps out of the function, or to an address in a register."""


def find_exits(code: bytes) -> Exits:
    found = Exits([], [])
    for at, instruction in instructions(code):
        if instruction.rd:
            continue  # not a jump, or one that leaves a return address
        if instruction.opcode == JALR:
            (found.returns if instruction.rs1 == RA else found.jumps).append(at)
        elif instruction.opcode == JAL and not 0 <= at + instruction.immediate < len(code):
            found.jumps.append(at)
    return found
