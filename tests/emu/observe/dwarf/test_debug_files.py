"""Is separate debug information of the same build found, and a missing file reported?"""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from emu.observe.dwarf import entries
from emu.observe.dwarf.debug_files import Missing
from emu.observe.dwarf.entries import DebugInfo
from emu.observe.dwarf.inlined_functions import Functions
from emu.observe.model.raw_events import DebugFile
from emu.observe.symbols.elf_image import Image
from tests.emu.commands import emu
from tests.emu.observe.support.split_programs import (
    NAMES,
    SOURCE,
    SPLITS,
    compile_program,
    every_split,
    functions,
    image,
    packaged,
    places,
)
from toolchain.find import find

COPIES = SOURCE.splitlines().index("        page[1] = 2; /* copies */") + 1


@every_split
def test_is_the_missing_file_named_once(tmp_path: Path, split: list[str]) -> None:
    prog = compile_program(tmp_path / "split", *split)
    assert not [each for each in emu("cow", prog).messages if "debug file" in each]
    for missing, more in (("prog.dwo", ""), ("other.dwo", " and 1 more")):
        (prog.parent / missing).rename(tmp_path / missing)
        outcome = emu("cow", prog)
        named = [each for each in outcome.messages if "debug file" in each]
        first = prog.parent / "prog.dwo"
        assert named == [
            f"emu: {prog}: debug file {first}{more} not found (no inlined functions without it)"
        ]
        assert f"prog.c:{COPIES} main" in outcome.stderr
    for name in ("prog.dwo", "other.dwo"):
        shutil.copy(tmp_path / name, prog.parent)
    assert not [each for each in emu("cow", prog).messages if "debug file" in each]


def test_is_a_stripped_programs_file_named(tmp_path: Path) -> None:
    prog, objcopy = compile_program(tmp_path / "plain"), f"{find().prefix}objcopy"
    subprocess.run([objcopy, "--only-keep-debug", prog, tmp_path / "prog.debug"], check=True)
    link = f"--add-gnu-debuglink={tmp_path / 'prog.debug'}"
    subprocess.run([objcopy, "--strip-debug", link, prog], check=True)
    expected = f"emu: {prog}: debug file prog.debug not found (no source lines without it)"
    assert expected in emu("cow", prog).messages
    (prog.parent / ".debug").mkdir()
    shutil.copy(tmp_path / "prog.debug", prog.parent / ".debug")
    assert expected not in emu("cow", prog).messages


def split_off(program: Path, debug: Path, *strip: str) -> None:
    """Moves the debug information, and the symbols, of a program to another file."""
    objcopy = f"{find().prefix}objcopy"
    subprocess.run([objcopy, "--only-keep-debug", program, debug], check=True)
    link = [f"--add-gnu-debuglink={debug}"] if "--no-link" not in strip else []
    words = [word for word in strip if word != "--no-link"]
    subprocess.run([objcopy, "--strip-all", *link, *words, program], check=True)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_program(tmp_path_factory.mktemp("plain") / "it")


def test_is_a_stripped_program_reported_as_if_it_were_whole(plain: Path) -> None:
    whole, prog, debug = plain, plain.with_name("stripped"), plain.with_name("prog.debug")
    shutil.copy(whole, prog)
    split_off(prog, debug)
    assert places(prog, whole) == places(whole)
    rules = [image(each)[0].rules for each in (prog, whole)]
    for start, code in functions(whole).values():
        for at in range(start, start + len(code), 2):
            assert rules[0][at] == rules[1][at]
    (debug.parent / ".debug").mkdir()
    debug.rename(debug.parent / ".debug" / debug.name)
    assert places(prog, whole) == places(whole)
    wrong = debug.parent / ".debug" / debug.name
    wrong.write_bytes(wrong.read_bytes() + b"\0")
    expected = Missing("prog.debug", "is of another build", "source lines", linked=True)
    assert image(prog)[1] == [expected]
    assert not image(prog)[0].places[functions(whole)["touch"][0]].line


def test_are_the_symbols_of_a_stripped_program_known_by_name(tmp_path: Path) -> None:
    prog = compile_program(tmp_path / "it")
    split_off(prog, prog.with_name("prog.debug"))
    outcome = emu("why", prog, "--at", "page+1", "--all")
    assert outcome.status == 0 and f"prog.c:{COPIES} main" in outcome.stderr
    prog.with_name("prog.debug").unlink()
    assert "no symbol 'page'" in emu("why", prog, "--at", "page+1").stderr


def test_is_it_found_by_its_build_id_in_the_root_and_nowhere_else(tmp_path: Path) -> None:
    root, prog = tmp_path / "root", compile_program(tmp_path / "it")
    split_off(prog, prog.with_name("prog.debug"), "--no-link")
    with prog.open("rb") as file:
        build_id = ELFFile(file).get_section_by_name(".note.gnu.build-id").data()[16:].hex()
    store = root / "usr/lib/debug/.build-id" / build_id[:2]
    store.mkdir(parents=True)
    shutil.copy(prog, root / "prog")
    debug = store / f"{build_id[2:]}.debug"
    debug.symlink_to(prog.with_name("prog.debug"))  # a link of the host, broken in the guest
    run = ("cow", "--root", root, "/prog")
    assert "prog.c" not in emu(*run).stderr
    debug.unlink()
    debug.symlink_to("/the.debug")
    shutil.copy(prog.with_name("prog.debug"), root / "the.debug")
    outcome = emu(*run)
    assert f"prog.c:{COPIES} main" in outcome.stderr and "debug file" not in outcome.stderr


def test_is_a_split_programs_file_not_taken_from_the_host_with_a_root(tmp_path: Path) -> None:
    prog, root = compile_program(tmp_path / "it", *SPLITS[1]), tmp_path / "root"
    root.mkdir()
    shutil.copy(prog, root / "prog")
    missing = f"emu: /prog: debug file {prog.with_name('prog.dwo')} and 1 more not found"
    assert any(each.startswith(missing) for each in emu("cow", "--root", root, "/prog").messages)
    for name in ("prog.dwo", "other.dwo"):
        shutil.copy(prog.with_name(name), root)
    assert not emu("cow", "--root", root, "/prog").messages


@every_split
def test_is_a_file_of_another_build_not_taken(tmp_path: Path, split: list[str]) -> None:
    prog, other = (
        compile_program(tmp_path / "it", *split),
        compile_program(tmp_path / "else", *split, "-O2"),
    )
    whole = places(prog)
    shutil.copy(other.with_name("prog.dwo"), prog.parent)
    found, missing = image(prog)
    name = str(prog.with_name("prog.dwo"))
    assert missing == [Missing(name, "is of another build", "inlined functions", linked=False)]
    start, code = functions(prog)["touch"]
    assert any(place.inlined for place in whole.values())
    assert not any(found.places[at].inlined for at in range(start, start + len(code), 2))
    assert all(found.places[at].line for at in range(start, start + len(code), 2))


def test_does_a_program_that_others_run_name_no_file_of_its_distribution(tmp_path: Path) -> None:
    """Otherwise a shell would print a line for each of its commands."""
    source = """#include <unistd.h>
int main(int argc, char **argv) { execv(argv[1], argv + 1); return argc; }
"""
    (tmp_path / "runs.c").write_text(source)
    runs, prog = tmp_path / "runs", compile_program(tmp_path / "it")
    subprocess.run([find().gcc, "-static", "-o", runs, tmp_path / "runs.c"], check=True)
    split_off(prog, prog.with_name("prog.debug"))
    prog.with_name("prog.debug").unlink()
    assert [each for each in emu("cow", prog).messages if "prog.debug" in each]
    outcome = emu("cow", "--ro", tmp_path, runs, prog)
    assert "debug file" not in outcome.stderr


def damaged(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 3, 20))):
        changed[chance.randrange(len(data))] = chance.choice((0, 1, 128, 255))
    return bytes(changed[: chance.randrange(len(data)) if not chance.randrange(8) else None])


@every_split
def test_has_a_damaged_debug_file_less_to_report(tmp_path: Path, split: list[str]) -> None:
    prog, chance = compile_program(tmp_path / "it", *split), random.Random(5)
    package = packaged(prog, int(split[0][-1]))
    original, folder = package.read_bytes(), prog.parent
    data = prog.read_bytes()
    starts = [functions(prog)[name][0] for name in NAMES]
    for name in ("prog.dwo", "other.dwo"):
        (folder / name).unlink()
    for _ in range(60):
        package.write_bytes(damaged(original, chance))
        found, _ = image(prog)
        for start in starts:
            for at in range(start, start + 64, 4):
                assert found.places[at].line
    sections = {name: damaged(bytes(200), chance) for name in ("info", "abbrev", "cu_index")}
    assert Image(data, [DebugFile("split", sections=sections)]).places[starts[0]].line


def test_is_a_file_that_is_all_entries_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte of the file may be an entry with many attributes."""

    unit = bytes(
        (1, 0x11, 1, *(0x34, 0x19) * 4000, 0, 0, 2, 0x2E, 0, *(0x34, 0x19) * 4000, 0, 0, 0)
    )
    body = bytes((5, 0, 1, 8, 0, 0, 0, 0, 1, *([2] * 40_000)))
    monkeypatch.setattr(entries, "_MOST_STEPS", 1 << 16)
    info = DebugInfo({"info": len(body).to_bytes(4, "little") + body, "abbrev": unit})
    assert not Functions(info.units[0]).found
    assert 1 << 16 < info._steps < 1 << 17
