"""Are a program's symbols found, and does a damaged file raise nothing?"""

from __future__ import annotations

import random

import pytest
from elftools.elf.elffile import ELFFile

from emu.observe.symbols.elf_file import ElfFile
from guest.manifest import BY_NAME
from tests.guest.running import built
from toolchain.find import find


@pytest.mark.parametrize("variant", ["static", "dynamic"])
def test_are_the_addresses_those_that_pyelftools_finds(variant: str) -> None:
    program = built(BY_NAME["demo_cow"], variant)
    with program.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        wanted = {row.name: (row["st_value"], row["st_size"]) for row in table.iter_symbols()}
    symbols = ElfFile(program.read_bytes())
    for name in ("main", "pages", "write_page"):
        found = symbols.find(name)
        assert found is not None and (found.address, found.size) == wanted[name]
    assert symbols.find("age") is None and symbols.find("") is None
    assert symbols.find("no such name") is None
    assert symbols.base == (0x10000 if variant == "static" else 0)


def test_is_a_shared_library_searched_by_its_dynamic_symbols() -> None:
    root = find().sysroot
    assert root is not None
    libc = next(root.rglob("libc.so.6"))
    symbols = ElfFile(libc.read_bytes())
    assert all(symbols.find(name) for name in ("malloc", "free", "calloc", "realloc"))


def test_is_a_damaged_file_poorer_and_no_exception() -> None:
    whole = built(BY_NAME["exact_child"], "static").read_bytes()
    chance = random.Random(1)
    for _ in range(300):
        data = bytearray(whole[: chance.randrange(len(whole))] if chance.random() < 0.5 else whole)
        for _ in range(chance.randrange(40)):
            at = chance.randrange(len(data) or 1)
            if at < len(data) and (at < 64 or at > len(data) - 2000 or chance.random() < 0.1):
                data[at] = chance.randrange(256)
        ElfFile(bytes(data)).find("pages")
    assert ElfFile(whole).find("pages") is not None
    assert ElfFile(b"").find("pages") is None
