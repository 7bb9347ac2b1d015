"""Are inlined functions in another file reported like those of an ordinary program?

What is expected is what the same source says that was compiled without -gsplit-dwarf, or before
dwz(1) saw it.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from emu.observe.model.records import SourceLocation
from tests.emu.commands import emu
from tests.emu.observe.support.split_programs import (
    SOURCE,
    compile_program,
    every_split,
    functions,
    image,
    packaged,
    places,
)

LEVELS = ["-O0", "-O1", "-O2", "-Os"]
IN_TWICE = SOURCE.splitlines().index("    poke(page + first, by); /* in twice */") + 1


def chain(place: SourceLocation) -> list[str]:
    return [place.function, *(it.function for it in place.inlined)]


def same(split: Path, plain: Path) -> dict[tuple[str, int], SourceLocation]:
    """Source locations of both programs; their code and locations must be equal."""
    assert {name: len(code) for name, (_, code) in functions(plain).items()} == {
        name: len(code) for name, (_, code) in functions(split).items()
    }
    found, expected = places(split), places(plain)
    assert found == expected
    return found


@every_split
@pytest.mark.parametrize("level", LEVELS)
def test_are_they_those_of_the_ordinary_program(
    tmp_path: Path, split: list[str], level: str
) -> None:
    plain = compile_program(tmp_path / "plain", split[0], level)
    found = same(compile_program(tmp_path / "split", *split, level), plain)
    chains = [chain(place) for place in found.values()]
    assert ["poke", "poke_all", "twice", "touch"] in chains
    assert ["poke", "main"] in chains and ["poke", "poke_all", "other"] in chains
    calls = [place.inlined[0] for place in found.values() if chain(place)[:2] == ["poke", "twice"]]
    assert {(it.file, it.line) for it in calls} == {("prog.c", IN_TWICE)}


@every_split
def test_are_they_there_when_the_files_lie_beside_the_program(
    tmp_path: Path, split: list[str]
) -> None:
    plain, prog = (
        compile_program(tmp_path / "plain", split[0]),
        compile_program(tmp_path / "split", *split),
    )
    (tmp_path / "moved").mkdir()
    for name in ("prog", "prog.dwo", "other.dwo"):
        shutil.copy(prog.with_name(name), tmp_path / "moved")
    shutil.rmtree(prog.parent)
    moved, _ = image(tmp_path / "moved" / "prog")
    expected, _ = image(plain)
    for name, (start, code) in functions(tmp_path / "moved" / "prog").items():
        own = functions(plain)[name][0]
        for offset in range(0, len(code), 2):
            assert chain(moved.places[start + offset]) == chain(expected.places[own + offset])


@every_split
@pytest.mark.parametrize("tool", ["by hand", "llvm-dwp"])
def test_are_they_there_when_the_files_are_in_a_package(
    tmp_path: Path, split: list[str], tool: str
) -> None:
    plain, prog = (
        compile_program(tmp_path / "plain", split[0]),
        compile_program(tmp_path / "split", *split),
    )
    if tool == "by hand":
        packaged(prog, int(split[0][-1]))
    elif split[0] == "-gdwarf-5":
        pytest.skip("llvm-dwp 14 does not end with two units of DWARF 5")
    elif shutil.which(tool):
        command = [tool, "prog.dwo", "other.dwo", "-o", "prog.dwp"]
        subprocess.run(command, cwd=prog.parent, check=True)
    else:
        pytest.skip("llvm-dwp is not installed")
    for name in ("prog.dwo", "other.dwo"):
        prog.with_name(name).unlink()
    assert not image(prog)[1]
    assert any(place.inlined for place in same(prog, plain).values())


@every_split
def test_does_a_command_show_them(tmp_path: Path, split: list[str]) -> None:
    plain, prog = (
        compile_program(tmp_path / "plain", split[0]),
        compile_program(tmp_path / "split", *split),
    )
    both = [emu("trace", "--deterministic", each) for each in (plain, prog)]
    shown = [
        [line for line in each.stderr.splitlines() if "poke" in line or "prog.c" in line]
        for each in both
    ]
    assert shown[0] and shown[1]
    assert [line.replace(str(prog), str(plain)) for line in shown[1]] == shown[0]


@pytest.mark.parametrize("version", ["-gdwarf-4", "-gdwarf-5"])
@pytest.mark.skipif(not shutil.which("dwz"), reason="dwz is not installed")
def test_are_they_there_when_programs_share_them(tmp_path: Path, version: str) -> None:
    whole = compile_program(tmp_path / "it", version, "-O2")
    first, second = whole.with_name("first"), whole.with_name("second")
    for each in (first, second):
        shutil.copy(whole, each)
    shared = whole.with_name("shared.debug")
    subprocess.run(["dwz", "-m", shared, "-M", shared, first, second], check=True)
    assert shared.is_file()
    expected = places(whole)
    assert any(place.inlined for place in expected.values())
    assert places(first) == expected and places(second) == expected
    shared.rename(shared.with_name("elsewhere"))
    (named,) = image(first)[1]
    assert (named.name, named.problem) == (str(shared), "not found")
