"""Does the decoder find the access of every load, store, atomic and compressed instruction?

Capstone is the oracle. For compressed and atomic instructions it has no memory operand, but it
prints one, "lw a0, 4(a1)", and that is what is compared.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import pytest

from emu.machine.isa.decoder import decode, instruction_length
from emu.machine.isa.memory_operand import Kind, MemoryOperand, memory_operand
from tests.emu.machine import asm
from tests.emu.machine.isa.disassembly import REGISTERS, disassemble

OPERAND = re.compile(r"(-?(?:0x)?[0-9a-f]+)?\((\w+)\)$")
SIZES = {"b": 1, "h": 2, "w": 4, "d": 8}


def expected(mnemonic: str, operands: str) -> MemoryOperand | None:
    """Kind and operand of the memory access in a disassembled line."""
    match = OPERAND.search(operands)
    name = mnemonic.removeprefix("c.").removesuffix("sp")
    if match is None or name in ("jalr", "jr"):
        return None
    offset, base = int(match[1] or "0", 0), REGISTERS.index(match[2])
    if name.startswith(("lr.", "sc.", "amo")):
        operation, width = name.split(".")[:2]
        kind = {"lr": Kind.LOAD_RESERVED, "sc": Kind.STORE_CONDITIONAL}.get(operation, Kind.AMO)
    else:
        name = name.removeprefix("f")
        kind = Kind.LOAD if name.startswith("l") else Kind.STORE
        width = name[1]
    return MemoryOperand(kind, base, offset, SIZES[width])


def test_every_compressed_instruction() -> None:
    wrong = []
    accesses = 0
    for bits in range(0x1_0000):
        if bits & 3 == 3:
            continue
        line = disassemble(asm.half(bits))
        if line is None:
            continue  # an invalid encoding traps as illegal, without an access
        want = expected(*line)
        accesses += want is not None
        if memory_operand(decode(bits)) != want:
            wrong.append((hex(bits), *line))
    assert not wrong
    assert accesses > 20_000


def simple_accesses() -> Iterator[bytes]:
    for imm in (-2048, -1, 0, 1, 5, 2047):
        for register, base in ((0, 31), (17, 1), (31, 0)):
            for name in (*asm.LOADS, *asm.FP_LOADS):
                yield asm.load(name, register, base, imm)
            for name in (*asm.STORES, *asm.FP_STORES):
                yield asm.store(name, register, base, imm)


def test_every_load_and_store() -> None:
    for code in simple_accesses():
        line = disassemble(code)
        assert line is not None
        assert memory_operand(decode(int.from_bytes(code, "little"))) == expected(*line), line


@pytest.mark.parametrize("size", [4, 8])
@pytest.mark.parametrize("order", range(4))
def test_every_atomic(size: int, order: int) -> None:
    codes = [asm.amo(name, size, 10, 11, 12) for name in asm.AMOS]
    codes += [asm.lr(size, 10, 31), asm.sc(size, 10, 11, 1)]
    for code in codes:
        bits = int.from_bytes(code, "little") | order << 25  # aq and rl
        line = disassemble(asm.word(bits))
        assert line is not None
        assert memory_operand(decode(bits)) == expected(*line), line


@pytest.mark.parametrize(
    ("code", "is_store"),
    [
        (asm.ld(10, 11), False),
        (asm.lr(4, 10, 11), False),
        (asm.sd(10, 11), True),
        (asm.sc(4, 10, 11, 12), True),
        (asm.amo("amoadd", 8, 10, 11, 12), True),
    ],
)
def test_which_faults_are_store_faults(code: bytes, is_store: bool) -> None:
    operand = memory_operand(decode(int.from_bytes(code, "little")))
    assert operand is not None
    assert operand.kind.faults_as_store is is_store


@pytest.mark.parametrize(
    "code",
    [
        asm.NOP,
        asm.ECALL,
        asm.EBREAK,
        asm.FENCE_I,
        asm.jalr(1, 2, 4),
        asm.beq(1, 2, 8),
        asm.jal(1, 8),
        asm.lui(1, 5),
        asm.fadd_d(1, 2, 3),
        asm.C_NOP,
        asm.C_EBREAK,
        asm.C_ILLEGAL,
        asm.half(0x4002),  # c.lwsp to x0, which is reserved
        asm.c_addi(10, 1),
    ],
)
def test_other_instructions_access_nothing(code: bytes) -> None:
    assert memory_operand(decode(int.from_bytes(code, "little"))) is None


def test_any_32_bits_have_an_answer() -> None:
    generator = random.Random(39)
    memory_opcodes = (0x03, 0x07, 0x23, 0x27, 0x2F)
    for _ in range(50_000):
        bits = generator.getrandbits(32)
        if generator.random() < 0.5:
            bits = bits & ~0x7F | generator.choice(memory_opcodes)
        got = memory_operand(decode(bits))
        line = disassemble(asm.word(bits))
        if line is not None and instruction_length(bits) == 4:
            want = expected(*line)
            assert got == want, (hex(bits), line)
        elif got is not None:
            assert -2048 <= got.offset < 2048
            assert got.size <= 1 << 7
