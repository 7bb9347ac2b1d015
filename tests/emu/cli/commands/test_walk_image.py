"""Does ``emu walk`` read an image of physical memory, and only up to its end?"""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from emu.machine.pte import V, make_pte, make_satp
from emu.machine.sv39 import Rule
from tests.emu.cli.walks import walk
from tests.emu.commands import emu
from tests.emu.machine.tables import FULL, VA, Tables


def image(tables: Tables, folder: Path, size: int = 5 * 4096) -> Path:
    path = folder / "image"
    path.write_bytes(tables.ram.bytes[:size])
    return path


def in_image(folder: Path, tables: Tables, *words: str, va: int = VA) -> str:
    satp = f"{tables.mmu.satp:#x}"
    return walk("--satp", satp, "--mem", image(tables, folder), *words, f"{va:#x}")


def test_an_image_of_memory(tmp_path: Path) -> None:
    tables = Tables()
    text = in_image(tmp_path, tables)
    assert "load of 0x1234567abc in U-mode" in text and "physical 0x80003000 + 0xabc" in text
    path = image(tables, tmp_path)
    assert walk("--root", "0x80000", "--mem", path, str(VA)) == text
    assert walk("--root", "0x80000000", "--mem", path, str(VA)) == text
    assert walk(f"{VA:#x}", "--mem", path, "--base", "0x80000000", "--root", "524288") == text


def test_an_image_that_begins_elsewhere(tmp_path: Path) -> None:
    ptes = {0: make_pte(0x101, V), 1: make_pte(0x102, V), 2: make_pte(0x100, FULL)}
    path = tmp_path / "image"
    path.write_bytes(b"".join(struct.pack("<512Q", pte, *[0] * 511) for pte in ptes.values()))
    text = walk("--satp", f"{make_satp(0x100):#x}", "--mem", path, "--base", "0x100000", "0x10")
    assert "physical 0x100000 + 0x10 = 0x100010" in text


def test_a_superpage_in_an_image(tmp_path: Path) -> None:
    tables = Tables()
    tables.set(1, make_pte(0x80000, FULL))
    assert "a superpage of 2 MiB" in in_image(tmp_path, tables, va=VA & ~0x1FF000)


@pytest.mark.parametrize(
    "level, pte, words, rule",
    [
        (0, 0, (), Rule.INVALID),
        (2, 0, (), Rule.INVALID),
        (1, make_pte(5, V), (), Rule.TABLE_OUTSIDE_RAM),
        (1, make_pte(0x80005, V), (), Rule.TABLE_OUTSIDE_RAM),
        (0, make_pte(0x80005, FULL), (), Rule.PAGE_OUTSIDE_RAM),
        (0, make_pte(0x80003, FULL & ~4), ("--access", "store"), Rule.NOT_WRITABLE),
        (0, make_pte(0x80003, FULL & ~8), ("--access", "fetch"), Rule.NOT_EXECUTABLE),
        (0, make_pte(0x80003, V | 8 | 16 | 64), (), Rule.NOT_READABLE),
        (0, make_pte(0x80003, V | 8 | 16 | 64), ("--mxr",), None),
        (0, make_pte(0x80003, FULL & ~16), (), Rule.NOT_USER),
        (0, make_pte(0x80003, FULL & ~16), ("--supervisor",), None),
        (0, make_pte(0x80003, FULL), ("--supervisor",), Rule.USER_PAGE_FROM_SUPERVISOR),
        (0, make_pte(0x80003, FULL), ("--supervisor", "--sum"), None),
        (0, make_pte(0x80003, FULL & ~64), ("--svade",), Rule.NOT_ACCESSED),
        (0, make_pte(0x80003, FULL & ~64), (), None),
        (1, make_pte(0x80003, FULL), (), Rule.MISALIGNED_SUPERPAGE),
    ],
)
def test_faults_in_an_image(
    tmp_path: Path, level: int, pte: int, words: tuple[str, ...], rule: Rule | None
) -> None:
    tables = Tables()
    tables.set(level, pte)
    text = in_image(tmp_path, tables, *words)
    assert ("fault " in text) == (rule is not None)
    assert rule is None or rule.value in text
    assert image(tables, tmp_path).read_bytes() == tables.ram.bytes[: 5 * 4096]


def test_a_table_that_the_image_holds_a_part_of(tmp_path: Path) -> None:
    """The image ends within the last table: before VPN[0]'s entry, or directly after it."""
    tables = Tables()
    entry = tables.entry(0) - 0x80000000
    for size, rule in ((entry, Rule.TABLE_OUTSIDE_RAM), (entry + 8, Rule.PAGE_OUTSIDE_RAM)):
        path = image(tables, tmp_path, size)
        text = walk("--satp", f"{tables.mmu.satp:#x}", "--mem", path, str(VA))
        assert rule.value in text


def test_what_makes_no_sense_with_an_image_is_one_line(tmp_path: Path) -> None:
    path = image(Tables(), tmp_path)
    odd = tmp_path / "odd"
    odd.write_bytes(b"123456789")
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    satp = f"{make_satp(0x80000):#x}"
    for words, reason in (
        (("--satp", satp, "--mem", "/no/such", "0"), "/no/such: No such file"),
        (("--satp", satp, "--mem", tmp_path, "0"), "Is a directory"),
        (("--satp", satp, "--mem", odd, "0"), "not a positive multiple of 8 (9 bytes)"),
        (("--satp", satp, "--mem", empty, "0"), "not a positive multiple of 8 (0 bytes)"),
        (("--satp", "0x9000000000080000", "--mem", path, "0"), "unsupported mode 9 (expected 8, "),
        (("--satp", "x", "--mem", path, "0"), "'x': not an address (expected "),
        (("--satp", satp, "--mem", path, "zero"), "'zero': not an address (expected "),
        (("--satp", satp, "0"), "missing argument (expected --mem FILE"),
        (("--satp", satp, "--mem", "img"), "missing argument (expected ADDRESS"),
        (("--satp", satp, "--mem", path, "0", "1"), "emu: 1: unexpected argument (a walk "),
        (("--satp", satp, "--root", "0x80000", "--mem", path, "0"), "--satp: not allowed with"),
        (("--root", "0x90000", "--mem", path, "0"), "--root 0x90000: not in the image"),
        (("--satp", satp, "--mem", path, "--base", "0x10", "0"), "0x10: not a multiple of 4096"),
        (("--satp", satp, "--mem", path, "--base", "0xfffffffffffff000", "0"), "beyond the last"),
    ):  # fmt: skip
        outcome = emu("walk", *words)
        assert (outcome.status, outcome.stdout) == (2, ""), words
        assert reason in outcome.stderr and outcome.stderr.count("\n") == 1, outcome.stderr
