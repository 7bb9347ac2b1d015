"""Are jumps and branches recognized, with their targets and the register that they link?"""

from __future__ import annotations

import pytest

from emu.machine.isa.control_flow import Jump, branch_offset, link_register, plain_jump
from emu.machine.isa.decoder import decode
from tests.emu.machine import asm
from tests.emu.machine.isa.disassembly import REGISTERS, disassemble

COMPRESSED = [half for half in range(1 << 16) if half & 3 != 3]


def expected_link(mnemonic: str, operands: str) -> int | None:
    """The return address of a disassembled line."""
    name = mnemonic.removeprefix("c.")
    if name in ("jalr", "jal"):
        return (
            REGISTERS.index(operands.split(",", maxsplit=1)[0])
            if "c." not in mnemonic and "," in operands
            else 1
        )
    is_jump = name in ("j", "jr", "ret") or (name.startswith("b") and "break" not in name)
    return 0 if is_jump else None


def expected_jump(mnemonic: str, operands: str) -> Jump | None:
    if mnemonic == "c.j":
        return Jump(0, int(operands, 0))
    return Jump(REGISTERS.index(operands), 0) if mnemonic == "c.jr" else None


def expected_branch(mnemonic: str, operands: str) -> int | None:
    is_branch = mnemonic in ("c.beqz", "c.bnez")
    return int(operands.split(", ")[1], 0) if is_branch else None


def test_of_every_compressed_instruction() -> None:
    wrong = []
    for half in COMPRESSED:
        line = disassemble(asm.half(half))
        if line is None:
            continue
        code = decode(half)
        found = link_register(code), plain_jump(code), branch_offset(code)
        if found != (expected_link(*line), expected_jump(*line), expected_branch(*line)):
            wrong.append((hex(half), *line, found))
    assert not wrong


@pytest.mark.parametrize(
    "code, link, jump, branch",
    [
        (asm.jal(1, 8), 1, None, None),
        (asm.jal(5, -8), 5, None, None),
        (asm.j(8), 0, Jump(0, 8), None),
        (asm.j(-0x10_0000), 0, Jump(0, -0x10_0000), None),
        (asm.jalr(31, 10, 4), 31, None, None),
        (asm.jr(1), 0, Jump(1, 0), None),
        (asm.beq(1, 2, 8), 0, None, 8),
        (asm.beq(1, 2, -4096), 0, None, -4096),
        (asm.ECALL, None, None, None),
        (asm.EBREAK, None, None, None),
        (asm.lui(1, 1), None, None, None),
        (asm.ld(1, 2), None, None, None),
    ],
)
def test_of_other_instructions(
    code: bytes, link: int | None, jump: Jump | None, branch: int | None
) -> None:
    instruction = decode(int.from_bytes(code, "little"))
    assert link_register(instruction) == link
    assert plain_jump(instruction) == jump
    assert branch_offset(instruction) == branch
