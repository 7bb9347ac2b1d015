"""Capstone as the oracle of the decoder's tests: an instruction as mnemonic and operands."""

from __future__ import annotations

import capstone

REGISTERS = (
    *("zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1"),
    *(f"a{n}" for n in range(8)),
    *(f"s{n}" for n in range(2, 12)),
    *("t3", "t4", "t5", "t6"),
)
_DISASSEMBLER = capstone.Cs(
    capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV64 | capstone.CS_MODE_RISCVC
)


def disassemble(code: bytes) -> tuple[str, str] | None:
    """None for an encoding that capstone does not know."""
    found = list(_DISASSEMBLER.disasm_lite(code, 0, 1))
    return (found[0][2], found[0][3]) if found else None
