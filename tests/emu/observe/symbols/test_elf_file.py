"""Are a program's symbols found, and does a damaged file raise nothing?"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from emu.observe.symbols.elf_file import ElfFile
from guest.manifest import BY_NAME
from tests.guest.running import built
from toolchain.find import find


def symbols_of(file: Path, table: str) -> dict[str, list[tuple[int, int]]]:
    """Places of each name that pyelftools finds: of the global symbol, or of the local ones."""
    local: dict[str, list[tuple[int, int]]] = {}
    public: dict[str, list[tuple[int, int]]] = {}
    with file.open("rb") as stream:
        for row in ELFFile(stream).get_section_by_name(table).iter_symbols():
            kind, bind = row["st_info"]["type"], row["st_info"]["bind"]
            if kind in ("STT_SECTION", "STT_FILE", "STT_TLS") or row["st_shndx"] == "SHN_UNDEF":
                continue
            known = (local if bind == "STB_LOCAL" else public).setdefault(row.name, [])
            place = row["st_value"], row["st_size"]
            if row.name and place not in known:
                known.append(place)
    return local | public


@pytest.mark.parametrize("variant", ["static", "dynamic"])
def test_are_the_addresses_those_that_pyelftools_finds(variant: str) -> None:
    program = built(BY_NAME["demo_cow"], variant)
    wanted = symbols_of(program, ".symtab")
    symbols = ElfFile(program.read_bytes())
    for name, places in wanted.items():
        assert [(it.address, it.size) for it in symbols.find_all(name)] == places, name
    assert wanted.keys() >= {"main", "pages", "write_page"}
    assert symbols.find("age") is None and symbols.find("") is None
    assert symbols.find("no such name") is None
    assert symbols.base == (0x10000 if variant == "static" else 0)


def test_is_a_shared_library_searched_by_its_dynamic_symbols() -> None:
    root = find().sysroot
    assert root is not None
    libc = next(root.rglob("libc.so.6"))
    symbols, wanted = ElfFile(libc.read_bytes()), symbols_of(libc, ".dynsym")
    for name, places in wanted.items():
        assert [(it.address, it.size) for it in symbols.find_all(name)] == places, name
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
