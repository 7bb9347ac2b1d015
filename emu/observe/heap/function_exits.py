"""Exits of a function in its code: returns, and jumps to other functions (tail calls)."""

from __future__ import annotations

from typing import NamedTuple

from emu.machine.isa.control_flow import Jump, plain_jump
from emu.machine.isa.decoder import instructions
from emu.machine.registers import RA


class Exits(NamedTuple):
    """Offsets of instructions in a function's code."""

    returns: list[int]
    jumps: list[int]
    """Jumps out of the function, or to an address in a register."""


def find_exits(code: bytes) -> Exits:
    found = Exits([], [])
    for at, instruction in instructions(code):
        jump = plain_jump(instruction)
        if jump is not None:
            _classify(found, at, jump, len(code))
    return found


def _classify(found: Exits, at: int, jump: Jump, size: int) -> None:
    if jump.register == RA:
        found.returns.append(at)
    elif jump.register or (jump.offset and not 0 <= at + jump.offset < size):
        found.jumps.append(at)
