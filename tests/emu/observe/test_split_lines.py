"""Are source lines found in a program with split DWARF, and is a missing debug file named?

The expected lines are those of the same program with ordinary debug information.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from emu.observe.debug_files import named_files
from emu.observe.image import Image
from emu.observe.split_lines import SplitLines
from tests.emu.commands import emu
from toolchain.find import find

HEADER = "static void poke(char *at, int by) {\n    *at += by;\n}\n"
SOURCE = """#include <sys/wait.h>
#include <unistd.h>
#include "poke.h"
int other(int);
char page[8192] __attribute__((aligned(4096)));
__attribute__((noipa)) int touch(int by)
{
    page[5] = 1; /* here */
    poke(page + 9, by);
    return by * 3;
}
int main(void)
{
    touch(other(4));
    if (!fork()) {
        page[1] = 2; /* copies */
        _exit(0);
    }
    wait(0);
}
"""
OTHER = "__attribute__((noipa)) int other(int n)\n{\n    return n + 1;\n}\n"
SPLITS = [["-gdwarf-4", "-gsplit-dwarf"], ["-gdwarf-5", "-gsplit-dwarf"]]
every_split = pytest.mark.parametrize("split", SPLITS, ids=["dwarf-4", "dwarf-5"])


def made(folder: Path, *flags: str) -> Path:
    """The program, with its objects in ``folder``; poke.h is in a separate folder."""
    (folder / "include").mkdir(parents=True)
    (folder / "include" / "poke.h").write_text(HEADER)
    compiler = [find().gcc, "-O1", "-g", "-Iinclude", *flags]
    for name, text in (("prog", SOURCE), ("other", OTHER)):
        (folder / f"{name}.c").write_text(text)
        subprocess.run([*compiler, "-c", f"{name}.c"], cwd=folder, check=True)
    subprocess.run(
        [*compiler, "-static", "prog.o", "other.o", "-o", "prog"], cwd=folder, check=True
    )
    return folder / "prog"


def functions(program: Path) -> dict[str, tuple[int, bytes]]:
    """Address and code of each function in the sources."""
    with program.open("rb") as file:
        elf = ELFFile(file)
        table = elf.get_section_by_name(".symtab")
        data = program.read_bytes()
        found = {}
        for name in ("touch", "main", "other"):
            entry = table.get_symbol_by_name(name)[0].entry
            offset = next(elf.address_offsets(entry.st_value))
            found[name] = entry.st_value, data[offset : offset + entry.st_size]
        return found


def lines(program: Path) -> dict[tuple[str, int], tuple[str, int]]:
    """File name and line of each instruction of the sources; the innermost function's."""
    image, found = Image(program.read_bytes()), {}
    for name, (start, code) in functions(program).items():
        for offset in range(0, len(code), 2):
            place = image.places[start + offset]
            path = Path(place.file)
            assert path.is_relative_to(program.parent), place
            found[name, offset] = str(path.relative_to(program.parent)), place.line
    return found


@every_split
def test_are_its_lines_those_of_the_program_without_split_dwarf(
    tmp_path: Path, split: list[str]
) -> None:
    plain, prog = made(tmp_path / "plain", split[0]), made(tmp_path / "split", *split)
    assert {name: len(code) for name, (_, code) in functions(plain).items()} == {
        name: len(code) for name, (_, code) in functions(prog).items()
    }
    assert lines(prog) == lines(plain)
    here = SOURCE.splitlines().index("    page[5] = 1; /* here */") + 1
    assert ("prog.c", here) in lines(prog).values()
    assert ("include/poke.h", 2) in lines(prog).values()


@every_split
def test_are_they_found_without_other_files(tmp_path: Path, split: list[str]) -> None:
    prog = made(tmp_path / "split", *split)
    before = lines(prog)
    for each in prog.parent.glob("*.dwo"):
        each.unlink()
    assert lines(prog) == before


@every_split
def test_is_the_missing_file_named_once(tmp_path: Path, split: list[str]) -> None:
    prog = made(tmp_path / "split", *split)
    assert not [each for each in emu("cow", prog).messages if "debug file" in each]
    copies = SOURCE.splitlines().index("        page[1] = 2; /* copies */") + 1
    for missing, more in (("prog.dwo", ""), ("other.dwo", " and 1 more")):
        (prog.parent / missing).rename(tmp_path / missing)
        outcome = emu("cow", prog)
        named = [each for each in outcome.messages if "debug file" in each]
        first = prog.parent / "prog.dwo"
        assert named == [
            f"emu: {prog}: debug file {first}{more} not found (no inlined functions without it)"
        ]
        assert f"prog.c:{copies} main" in outcome.stderr
    for name in ("prog.dwo", "other.dwo"):
        shutil.copy(tmp_path / name, prog.parent)
    assert not [each for each in emu("cow", prog).messages if "debug file" in each]


def test_is_the_debug_file_of_a_stripped_program_named(tmp_path: Path) -> None:
    prog, objcopy = made(tmp_path / "plain"), f"{find().prefix}objcopy"
    subprocess.run([objcopy, "--only-keep-debug", prog, tmp_path / "prog.debug"], check=True)
    link = f"--add-gnu-debuglink={tmp_path / 'prog.debug'}"
    subprocess.run([objcopy, "--strip-debug", link, prog], check=True)
    expected = f"emu: {prog}: debug file prog.debug not found (no source lines without it)"
    assert expected in emu("cow", prog).messages
    (prog.parent / ".debug").mkdir()
    shutil.copy(tmp_path / "prog.debug", prog.parent / ".debug")
    assert expected not in emu("cow", prog).messages


@every_split
def test_does_a_damaged_file_yield_nothing(tmp_path: Path, split: list[str]) -> None:
    original = made(tmp_path / "split", *split).read_bytes()
    pick, start = random.Random(3), original.rindex(b".debug_line\0") - 8192
    for _ in range(60):
        data = bytearray(original)
        for _ in range(pick.randrange(1, 40)):
            data[pick.randrange(max(start, 0), len(data))] = pick.randrange(256)
        found = SplitLines(bytes(data))
        assert all(found.find(at).line >= 0 for at in range(0x10000, 0x11000, 64))
        assert all(
            re.search(r".", each.name) for each in named_files(bytes(data), "/p", links=True)
        )
