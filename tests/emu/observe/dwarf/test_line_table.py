"""Are the lines of a program with split DWARF found?

The expected lines are those of the same program with ordinary debug information.
"""

from __future__ import annotations

import random
from pathlib import Path

from emu.observe.dwarf.units import DebugUnits
from emu.observe.symbols.elf_image import Image
from tests.emu.observe.support.split_programs import (
    HEADER,
    SOURCE,
    compile_program,
    every_split,
    functions,
)


def lines(program: Path) -> dict[tuple[str, int], tuple[str, int]]:
    """Innermost file, relative to its folder, and line of each instruction of the test program."""
    image, found = Image(program.read_bytes()), {}
    for name, (start, code) in functions(program).items():
        for offset in range(0, len(code), 2):
            place = image.places[start + offset]
            path = Path(place.file)
            assert path.is_relative_to(program.parent), place
            found[name, offset] = str(path.relative_to(program.parent)), place.line
    return found


@every_split
def test_are_its_lines_those_of_the_ordinary_program(tmp_path: Path, split: list[str]) -> None:
    plain, prog = (
        compile_program(tmp_path / "plain", split[0]),
        compile_program(tmp_path / "split", *split),
    )
    assert {name: len(code) for name, (_, code) in functions(plain).items()} == {
        name: len(code) for name, (_, code) in functions(prog).items()
    }
    assert lines(prog) == lines(plain)
    here = SOURCE.splitlines().index("    page[5] = 1; /* here */") + 1
    assert ("prog.c", here) in lines(prog).values()
    added = HEADER.splitlines().index("    *at += by;") + 1
    assert ("include/poke.h", added) in lines(prog).values()


@every_split
def test_do_they_need_no_other_file(tmp_path: Path, split: list[str]) -> None:
    prog = compile_program(tmp_path / "split", *split)
    before = lines(prog)
    for each in prog.parent.glob("*.dwo"):
        each.unlink()
    assert lines(prog) == before


@every_split
def test_has_a_damaged_file_nothing_to_report(tmp_path: Path, split: list[str]) -> None:
    original = compile_program(tmp_path / "split", *split).read_bytes()
    pick, start = random.Random(3), original.rindex(b".debug_line\0") - 8192
    for _ in range(60):
        data = bytearray(original)
        for _ in range(pick.randrange(1, 40)):
            data[pick.randrange(max(start, 0), len(data))] = pick.randrange(256)
        found = DebugUnits(bytes(data))
        units = [(found.find(at), at) for at in range(0x10000, 0x11000, 64)]
        assert all(unit.line(at).line >= 0 for unit, at in units if unit is not None)
