"""Is every compressed instruction expanded to its base instruction?

GNU objdump is the oracle: it disassembles both, without aliases. What each compressed mnemonic
stands for, and which encodings are reserved, is the unprivileged spec's.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from emu.machine.isa.compressed import RESERVED, expand
from emu.machine.isa.decoder import instruction_length
from tests.emu.machine import asm
from tests.emu.machine.isa.test_reserved_encodings import is_reserved
from toolchain.find import find

COMPRESSED = [half for half in range(1 << 16) if instruction_length(half) == 2]
INSTRUCTIONS = [half for half in COMPRESSED if not is_reserved(half)]
EXPANSIONS = {
    "addi4spn": "addi {0},{1},{2}",
    "addi16sp": "addi {0},{0},{1}",
    "nop": "addi x0,x0,{0}",
    "li": "addi {0},x0,{1}",
    "lui": "lui {0},{1}",
    "mv": "add {0},x0,{1}",
    "j": "jal x0,{0}",
    "jr": "jalr x0,0({0})",
    "jalr": "jalr x1,0({0})",
    "beqz": "beq {0},x0,{1}",
    "bnez": "bne {0},x0,{1}",
    "ebreak": "ebreak",
    "slli64": "slli {0},{0},0x0",
    "srli64": "srli {0},{0},0x0",
    "srai64": "srai {0},{0},0x0",
    **{name: f"{name} {{0}},{{1}}" for name in ("lw", "ld", "fld", "sw", "sd", "fsd")},
    **{f"{name}sp": f"{name} {{0}},{{1}}" for name in ("lw", "ld", "fld", "sw", "sd", "fsd")},
    **{name: f"{name} {{0}},{{0}},{{1}}" for name in ("addi", "addiw", "andi", "add", "addw")},
    **{name: f"{name} {{0}},{{0}},{{1}}" for name in ("slli", "srli", "srai", "sub", "subw")},
    **{name: f"{name} {{0}},{{0}},{{1}}" for name in ("xor", "or", "and")},
}


def disassembled(codes: list[bytes], path: Path) -> list[str]:
    """The text of each code, all of which lie 4 bytes apart."""
    path.write_bytes(b"".join((code + asm.C_NOP)[:4] for code in codes))
    options = ["-D", "-z", "-b", "binary", "-m", "riscv:rv64", "-M", "no-aliases,numeric"]
    command = [f"{find().prefix}objdump", *options, str(path)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = re.findall(r"^ *([0-9a-f]+):\t[0-9a-f ]+\t(.*)$", output, re.MULTILINE)
    texts = {int(at, 16): " ".join(text.partition("#")[0].split()) for at, text in lines}
    return [texts[4 * index] for index in range(len(codes))]


def base_text(compressed: str) -> str:
    name, _, operands = compressed.removeprefix("c.").partition(" ")
    return EXPANSIONS[name].format(*(operands or "0").split(","))


def test_is_every_instruction_expanded_as_objdump_reads_it(tmp_path: Path) -> None:
    short = disassembled([asm.half(half) for half in INSTRUCTIONS], tmp_path / "short")
    long = disassembled([asm.word(expand(half)) for half in INSTRUCTIONS], tmp_path / "long")
    pairs = zip(INSTRUCTIONS, short, long, strict=True)
    wrong = [(hex(half), text, base) for half, text, base in pairs if base_text(text) != base]
    assert not wrong
    assert len(INSTRUCTIONS) > 46_000


def test_are_exactly_the_reserved_encodings_not_expanded() -> None:
    assert [half for half in COMPRESSED if expand(half) == RESERVED] == [
        half for half in COMPRESSED if is_reserved(half)
    ]


def test_is_a_32_bit_instructions_first_half_not_expanded() -> None:
    assert {expand(half) for half in range(3, 1 << 16, 4)} == {RESERVED}
