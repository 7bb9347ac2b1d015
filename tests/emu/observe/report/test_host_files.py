"""Does a report include text only from permitted files?"""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from emu.observe.model.records import Caller, SourceLocation
from emu.observe.report.disassembly_listing import Listings, excerpts
from emu.observe.report.host_files import LARGEST_SOURCE, HostFiles
from tests.emu.observe.report.traces import built, demo, guest

TEXT = "".join(f"line {number};\n" for number in range(1, 101))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "in" / "prog.c").write_text(TEXT)
    (tmp_path / "in" / "sub" / "deep.h").write_text("deep\n")
    (tmp_path / "outside.c").write_text("private\n")
    return tmp_path / "in"


def test_relative_and_absolute_names_below_a_folder_are_found(folder: Path) -> None:
    files = HostFiles([folder])
    assert (files.source("prog.c") or [])[0] == "line 1;"
    assert files.source("sub/deep.h") == files.source(str(folder / "sub" / "deep.h")) == ["deep"]
    assert files.source("sub/../prog.c") is not None


@pytest.mark.parametrize("name", ["../outside.c", "/etc/passwd", "", "a\0b.c", "sub", "none.c"])
def test_nothing_else_is(folder: Path, name: str) -> None:
    assert HostFiles([folder]).source(name) is None


def test_a_link_does_not_lead_out(folder: Path) -> None:
    (folder / "link.c").symlink_to(folder.parent / "outside.c")
    (folder / "loop.c").symlink_to(folder / "loop.c")
    assert HostFiles([folder]).source("link.c") is None
    assert HostFiles([folder]).source("loop.c") is None


def test_the_whole_file_system_is_not_a_folder(folder: Path) -> None:
    assert HostFiles(["/"]).source(str(folder / "prog.c")) is None


def test_what_is_not_a_source_stays_private(folder: Path) -> None:
    (folder / ".ssh").mkdir()
    (folder / ".ssh" / "key.c").write_text("secret")
    (folder / "id_rsa").write_text("secret")
    (folder / "passwords.txt").write_text("secret")
    (folder / "binary.c").write_bytes(b"\x7fELF\0\0")
    (folder / "large.c").write_bytes(b"x" * (LARGEST_SOURCE + 1))
    os.mkfifo(folder / "fifo.c")
    files = HostFiles([folder])
    for name in (".ssh/key.c", "id_rsa", "passwords.txt", "binary.c", "large.c", "fifo.c"):
        assert files.source(name) is None, name


def test_only_lines_near_a_place_are_taken(folder: Path) -> None:
    place = SourceLocation(1, "f", file="prog.c", line=50, inlined=(Caller("g", "prog.c", 99),))
    lines = dict(excerpts([place], HostFiles([folder]))["prog.c"])
    assert lines[50] == "line 50;" and lines[99] == "line 99;" and max(lines) == 100
    assert 30 not in lines and 70 not in lines


def test_an_image_is_looked_for_below_the_root(folder: Path) -> None:
    (folder / "bin").mkdir()
    (folder / "bin" / "sh").write_bytes(b"\x7fELF in the root")
    assert HostFiles([], str(folder)).image("/bin/sh") == b"\x7fELF in the root"
    assert HostFiles([]).image("/bin/sh") is None
    assert HostFiles([], str(folder)).image("/prog.c") is None


def test_the_code_around_a_fault_holds_its_instruction() -> None:
    program = guest("demo_cow")
    builder = built(demo(), HostFiles([program.parent, Path(__file__).parents[4] / "guest"]))
    data = builder.data()
    code = dict(data["code"])
    faults = data["faults"]
    checked = 0
    for place, instruction in zip(faults["place"], faults["instruction"], strict=True):
        text = data["strings"][instruction]
        if text:
            assert [data["places"][place][0], text] in code[place]
            checked += 1
    assert checked > 30
    assert "pages[page][0] = letter;" in str(data["sources"])


def test_another_file_by_the_same_name_is_not_passed_for_the_program(folder: Path) -> None:
    other = guest("hello")
    trace = [record for record in demo() if getattr(record, "place", None)]
    images = {place.image for place in (record.place for record in trace)}
    (name,) = images - {""}
    (folder / Path(name).name).write_bytes(other.read_bytes())
    data = built(demo(), HostFiles([], None)).data()
    assert data["code"] == []
    root = folder / "root"
    (root / Path(name).parent.relative_to("/")).mkdir(parents=True)
    (root / Path(name).relative_to("/")).write_bytes(other.read_bytes())
    data = built(demo(), HostFiles([], str(root))).data()
    shown = {place for place, _ in data["code"]}
    real = {place for place, _ in built(demo(), HostFiles([Path(name).parent])).data()["code"]}
    assert len(shown) < len(real)


@pytest.mark.parametrize("size", [0, 5, 63, 64, 200, 1000])
def test_a_damaged_image_has_no_code(folder: Path, size: int) -> None:
    whole = guest("hello").read_bytes()
    (folder / "cut").write_bytes(whole[:size])
    listings = Listings(HostFiles([folder]))
    assert listings.around(SourceLocation(0x10500, image=str(folder / "cut")), 0x10000) == []


def test_does_a_small_image_take_little_memory(folder: Path) -> None:
    (folder / "prog").write_bytes(b"\x7fELF" + bytes(1000))
    files = HostFiles([folder])
    tracemalloc.start()
    try:
        assert files.image("prog") == b"\x7fELF" + bytes(1000)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
