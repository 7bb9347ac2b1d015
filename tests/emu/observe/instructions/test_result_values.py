"""Is the register that an instruction writes known, and its value where it can be derived?"""

from __future__ import annotations

import pytest

from emu.machine.isa.decoder import decode
from emu.machine.registers import A0, RA
from emu.observe.instructions.result_values import result_register, result_value
from tests.emu.machine import asm

A1 = 11
PC = 0x10000


def bits_of(code: bytes) -> int:
    return int.from_bytes(code, "little")


@pytest.mark.parametrize(
    "bits, register",
    [
        (bits_of(asm.addi(A0, A1, 5)), A0),
        (bits_of(asm.sd(A0, A1)), 0),
        (bits_of(asm.bne(A0, A1, 8)), 0),
        (bits_of(asm.ECALL), A0),
        (0x8082, 0),  # ret
        (0x9502, RA),  # c.jalr a0
        (0x2108, 32 + 10),  # c.fld fa0, 0(a0)
        (0x2502, 32 + 10),  # c.fldsp fa0, 0(sp)
        (0x0005_3507, 32 + 10),  # fld fa0, 0(a0)
        (0x02B5_7553, 32 + 10),  # fadd.d fa0, fa0, fa1
        (0xA2B5_2553, A0),  # feq.d a0, fa0, fa1
        (0xC205_7553, A0),  # fcvt.w.d a0, fa0
        (0xD205_0553, 32 + 10),  # fcvt.d.w fa0, a0
        (0x02B5_7543, 32 + 10),  # fmadd.d
        (0xC000_2573, A0),  # rdcycle a0
        (0x00B5_352F, A0),  # amoadd.d a0, a1, (a0)
        (0x0000, 0),  # reserved: illegal
        (0x6081, 0),  # c.lui with an immediate of 0: reserved
    ],
)
def test_which_register_is_written(bits: int, register: int) -> None:
    assert result_register(decode(bits)) == register


@pytest.mark.parametrize(
    "bits, value",
    [
        (bits_of(asm.addi(A0, A1, -1)), 0xFFFF_FFFF),
        (0xFFF5_851B, 0xFFFF_FFFF_FFFF_FFFF),  # addiw a0, a1, -1
        (0x0015_9513, 0x2_0000_0000),  # slli a0, a1, 1
        (0x0015_D513, 0x8000_0000),  # srli a0, a1, 1
        (0x852E, 0x1_0000_0000),  # c.mv a0, a1
        (0x40B0_0533, 0xFFFF_FFFF_0000_0000),  # sub a0, zero, a1
        (0x8D8D, 0),  # c.sub a1, a1
        (0x0000_1517, PC + 0x1000),  # auipc a0, 1
        (0x8000_0537, 0xFFFF_FFFF_8000_0000),  # lui a0, 0x80000
        (0x0000_00EF, PC + 4),  # jal ra
        (0x02B5_0533, None),  # mul a0, a0, a1
        (0x0005_B503, None),  # ld a0, 0(a1)
    ],
)
def test_what_is_written(bits: int, value: int | None) -> None:
    assert result_value(decode(bits), PC, {0: 0, A1: 0x1_0000_0000}) == value
    assert result_value(decode(bits_of(asm.addi(A0, A1, 0))), PC, {0: 0}) is None
