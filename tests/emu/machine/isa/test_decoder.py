"""Are the fields of an instruction, and above all its immediate, what objdump prints?"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from emu.machine.isa import decoder as d
from emu.machine.isa.decoder import Instruction, decode, instruction_length, instructions
from tests.emu.machine import asm
from tests.emu.machine.isa.test_compressed import disassembled

FORMATS = {
    "lw": (d.LOAD, 2),
    "ld": (d.LOAD, 3),
    "fld": (d.LOAD_FP, 3),
    "sw": (d.STORE, 2),
    "fsd": (d.STORE_FP, 3),
    "addi": (d.OP_IMM, 0),
    "andi": (d.OP_IMM, 7),
    "addiw": (d.OP_IMM_32, 0),
    "jalr": (d.JALR, 0),
    "beq": (d.BRANCH, 0),
    "bgeu": (d.BRANCH, 7),
    "jal": (d.JAL, None),
    "lui": (d.LUI, None),
    "auipc": (d.AUIPC, None),
}


def printed(name: str, at: int, bits: int) -> str:
    """The instruction at an address as objdump prints it, from the decoder's fields."""
    opcode, rd, _, rs1, rs2, _, immediate, _ = decode(bits)
    if opcode in (d.LOAD, d.LOAD_FP, d.JALR):
        register = "f" if opcode == d.LOAD_FP else "x"
        return f"{name} {register}{rd},{immediate}(x{rs1})"
    if opcode in (d.STORE, d.STORE_FP):
        register = "f" if opcode == d.STORE_FP else "x"
        return f"{name} {register}{rs2},{immediate}(x{rs1})"
    if opcode in (d.LUI, d.AUIPC):
        assert immediate & 0xFFF == 0 and -(1 << 31) <= immediate < 1 << 31
        return f"{name} x{rd},{immediate >> 12 & 0xFFFFF:#x}"
    if opcode == d.BRANCH:
        return f"{name} x{rs1},x{rs2},{at + immediate & (1 << 64) - 1:#x}"
    if opcode == d.JAL:
        return f"{name} x{rd},{at + immediate & (1 << 64) - 1:#x}"
    return f"{name} x{rd},x{rs1},{immediate}"


@pytest.mark.parametrize("name", FORMATS)
def test_are_the_fields_those_that_objdump_prints(name: str, tmp_path: Path) -> None:
    opcode, funct3 = FORMATS[name]
    pick = random.Random(name)
    mask, fixed = (0x7F, opcode) if funct3 is None else (0x707F, opcode | funct3 << 12)
    words = [pick.getrandbits(32) & ~mask | fixed for _ in range(2000)]
    texts = disassembled([asm.word(word) for word in words], tmp_path / "words")
    ours = [printed(name, 4 * index, word) for index, word in enumerate(words)]
    assert ours == texts


def test_other_fields_are_where_every_format_has_them() -> None:
    """sraw x1, x2, x3."""
    code = int.from_bytes(asm.r_type(0x3B, 1, 5, 2, 3, 0x20), "little")
    assert decode(code) == Instruction(d.OP_32, 1, 5, 2, 3, 0x20, 0, 4)


def test_is_a_compressed_instruction_its_base_form_of_another_length() -> None:
    short, long = decode(0x6522), decode(0x0081_3503)  # ld a0, 8(sp)
    assert (short.length, long.length) == (2, 4)
    assert short == long._replace(length=2)


@pytest.mark.parametrize("half", [0x0000, 0x8000, 0x4002, 0x8002])
def test_is_a_reserved_encoding_no_instruction(half: int) -> None:
    assert decode(half).opcode == 0


def test_does_what_follows_a_compressed_instruction_not_matter() -> None:
    assert decode(0xFFFF_6522) == decode(0x6522)


def test_is_code_split_into_its_instructions() -> None:
    code = asm.half(0x6522) + asm.ECALL + asm.C_NOP + asm.NOP
    found = list(instructions(code))
    assert [at for at, _ in found] == [0, 2, 6, 8]
    assert [each.length for _, each in found] == [2, 4, 2, 4]
    assert found[1][1] == d.ECALL
    assert not list(instructions(b"")) and not list(instructions(b"\x01"))


def test_do_zeroes_complete_an_instruction_that_is_cut_off() -> None:
    (found,) = instructions(asm.lui(asm.A0, 0x12345)[:2])
    assert found == (0, decode(int.from_bytes(asm.lui(asm.A0, 5), "little")))


def test_length_is_in_the_lowest_two_bits() -> None:
    assert [instruction_length(low) for low in (0, 1, 2, 3, 0xFFFC, 0xFFFF)] == [2, 2, 2, 4, 2, 4]
