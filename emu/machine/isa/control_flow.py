"""Jumps and branches (unprivileged spec, "Control Transfer Instructions")."""

from __future__ import annotations

from typing import NamedTuple

from emu.machine.isa.decoder import BRANCH, JAL, JALR, Instruction


class Jump(NamedTuple):
    """Target of a jump: the address in ``register``, or where that is 0 ``offset`` bytes from the
    jump itself.
    """

    register: int
    offset: int


def link_register(instruction: Instruction) -> int | None:
    """The register in which a jump or branch leaves its return address, 0 for none; None for an
    instruction that is neither.
    """
    if instruction.opcode in (JAL, JALR):
        return instruction.rd
    return 0 if instruction.opcode == BRANCH else None


def plain_jump(instruction: Instruction) -> Jump | None:
    """The target of an unconditional jump that leaves no return address; None for any other
    instruction. An offset that jalr adds to its register is ignored.
    """
    if instruction.rd:
        return None
    if instruction.opcode == JAL:
        return Jump(0, instruction.immediate)
    return Jump(instruction.rs1, 0) if instruction.opcode == JALR else None


def branch_offset(instruction: Instruction) -> int | None:
    """Offset of a conditional branch's target, in bytes; None for any other instruction."""
    return instruction.immediate if instruction.opcode == BRANCH else None
