"""Are a function's returns and tail calls those that a disassembler finds?"""

from __future__ import annotations

import capstone
import pytest
from elftools.elf.elffile import ELFFile

from emu.observe.heap.function_exits import find_exits
from guest.manifest import BY_NAME
from tests.guest.running import built


@pytest.mark.parametrize("name", ["hello", "fork_exec"])
def test_are_they_what_capstone_finds_in_all_functions(name: str) -> None:
    disassembler = capstone.Cs(
        capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV64 | capstone.CS_MODE_RISCVC
    )
    found = [0, 0]
    with built(BY_NAME[name], "static").open("rb") as file:
        elf = ELFFile(file)
        text = elf.get_section_by_name(".text")
        assert text is not None
        data, base = text.data(), text["sh_addr"]
        functions = {
            (each["st_value"], each["st_size"])
            for each in elf.get_section_by_name(".symtab").iter_symbols()
            if each["st_info"]["type"] == "STT_FUNC" and each["st_size"]
        }
    for address, size in sorted(functions):
        code = data[address - base : address - base + size]
        if not 0 <= address - base < len(data):
            continue
        returns, jumps = [], []
        end = 0
        for each in disassembler.disasm_lite(code, 0):
            at, length, mnemonic, operands = each
            end = at + length
            if (mnemonic, operands) in (("ret", ""), ("c.jr", "ra")):
                returns.append(at)
            elif (
                mnemonic in ("c.jr", "jr")
                or (mnemonic == "jalr" and operands.startswith("zero, "))
                or (mnemonic in ("j", "c.j") and not 0 <= at + int(operands, 0) < size)
            ):
                jumps.append(at)
        if end == len(code):  # capstone does not know some instructions
            assert find_exits(code) == (returns, jumps), hex(address)
            found[0] += len(returns)
            found[1] += len(jumps)
    assert found[0] > 500 and found[1] > 50
