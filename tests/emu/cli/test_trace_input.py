"""Do the commands read a trace from an untrusted source safely?"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
from pathlib import Path
from typing import Any

import pytest

from tests.emu.cli.commands.test_report import SOURCE, assert_one_line, data_of
from tests.emu.commands import Outcome, emu, program
from tests.emu.observe.support.traced import traced

NOTHING = "/dev/null"
READERS = (
    ("cow",),
    ("cow", "--json"),
    ("why", "--at", "0x7b000"),
    ("why", "--json", "--at", "0x7b000"),
    ("report", "-o", NOTHING),
)
FORKS = """
#include <sys/wait.h>
#include <unistd.h>
volatile int counter;
int main(void) { counter++; if (!fork()) { counter++; _exit(0); } wait(0); return 0; }
"""


def read(words: tuple[str, ...], trace: Path) -> Outcome:
    return emu(words[0], trace, *words[1:])


def written(folder: Path, data: bytes) -> Path:
    trace = folder / "t.jsonl"
    trace.write_bytes(data)
    return trace


@pytest.mark.parametrize("words", READERS)
def test_is_a_trace_read_the_same_with_other_white_space(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    data = traced("--deterministic").jsonl
    plain = read(words, written(tmp_path, data))
    lines = [json.loads(line) for line in data.splitlines()]
    spaced = b"\xef\xbb\xbf" + b"".join(
        json.dumps(dict(reversed(line.items()))).encode() + b"\r\n" for line in lines
    )
    again = read(words, written(tmp_path, spaced))
    assert plain.status == 0 and again == plain


@pytest.mark.parametrize("words", READERS)
def test_is_a_trace_of_schema_1_analysed_like_one_of_schema_2(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    data = traced("--deterministic").jsonl
    new = read(words, written(tmp_path, data))
    old = data.replace(b'"schema":2', b'"schema":1').replace(b'"copy_end"', b'"settled"')
    assert old.count(b'"event":"settled"') > 5 and b"copy_end" not in old
    assert new.status == 0 and read(words, written(tmp_path, old)) == new


EVIL = "\x1b]0;owned\x07\x9b2J\u202egpj\u2066\n"
FIXED = ("event", "outcome", "access", "fork_policy", "rights")


def evil(value: Any, key: str = "") -> Any:
    """The same value with hostile characters added to every name in it."""
    if isinstance(value, dict):
        return {name: evil(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [evil(inner, key) for inner in value]
    return EVIL + value if isinstance(value, str) and key not in FIXED else value


@pytest.mark.parametrize("words", READERS)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_are_names_of_a_trace_escaped_for_the_terminal(
    words: tuple[str, ...], ascii_only: bool, tmp_path: Path
) -> None:
    lines = [evil(json.loads(line)) for line in traced("--deterministic").jsonl.splitlines()]
    text = "".join(json.dumps(each, ensure_ascii=ascii_only) + "\n" for each in lines)
    outcome = read(words, written(tmp_path, text.encode()))
    shown = outcome.stdout + outcome.stderr
    assert outcome.status == 0, shown
    assert "owned" in shown or words[0] == "report"
    assert all(line.isprintable() for line in shown.split("\n"))


@pytest.mark.parametrize("words", READERS)
@pytest.mark.parametrize("kind", ["folder", "fifo", "zeros", "terminal"])
def test_are_only_regular_files_opened(words: tuple[str, ...], kind: str, tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl"
    match kind:
        case "folder":
            trace.mkdir()
        case "fifo":
            os.mkfifo(trace)
        case "zeros":
            trace.symlink_to("/dev/zero")
        case "terminal":
            trace.symlink_to("/dev/tty")
    assert_one_line(read(words, trace), "t.jsonl: ")


@pytest.mark.parametrize("words", READERS)
@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress])
def test_is_a_compressed_trace_reported_as_such(
    words: tuple[str, ...], pack: object, tmp_path: Path
) -> None:
    assert callable(pack)
    trace = tmp_path / "t.jsonl.packed"
    trace.write_bytes(pack(traced("--deterministic").jsonl))
    assert_one_line(read(words, trace), "t.jsonl.packed: compressed file")


@pytest.mark.parametrize("words", READERS)
@pytest.mark.parametrize(
    "damage", [b"\0" * 4096, b"\x7fELF" * 9, b"[" * 5000, b'{"event":"party"}', b"\xff\xfe{\0"]
)
def test_is_damage_reported_in_one_line_with_the_file_and_the_number(
    words: tuple[str, ...], damage: bytes, tmp_path: Path
) -> None:
    lines = traced("--deterministic").jsonl.splitlines(keepends=True)
    trace = written(tmp_path, b"".join([*lines[:7], damage + b"\n", *lines[7:]]))
    assert_one_line(read(words, trace), f"{trace}: line 8 is not a trace record: ")


def test_do_the_folders_of_a_report_not_depend_on_the_trace(tmp_path: Path) -> None:
    """The trace's program name is not trusted: here it is in a folder with other source code."""
    private, work = tmp_path / "private", tmp_path / "work"
    private.mkdir()
    work.mkdir()
    (private / "prog.c").write_text(SOURCE)
    assert emu("build", "prog.c", "-o", "prog", cwd=private).status == 0
    assert emu("trace", "-o", work / "t.jsonl", private / "prog").status == 3
    options: dict[bool, list[str | Path]] = {False: [], True: ["--source", private]}
    for found, more in options.items():
        outcome = emu("report", "t.jsonl", "-o", "out.html", *more, cwd=work)
        assert outcome.status == 0
        data = data_of(work / "out.html")
        assert ("here" in str(data["sources"])) is found
        assert bool(data["code"]) is found


@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
def test_are_symbols_taken_from_regular_files_only(kind: str, tmp_path: Path) -> None:
    trace, image = tmp_path / "t.jsonl", tmp_path / "prog"
    image.write_bytes(program("given_forks", FORKS).read_bytes())
    image.chmod(0o755)
    assert emu("trace", "-o", trace, image).status == 0
    assert emu("why", trace, "--at", "counter").status == 0
    image.unlink()
    match kind:
        case "fifo":
            os.mkfifo(image)
        case "device":
            image.symlink_to("/dev/zero")
        case "folder":
            image.mkdir()
    assert_one_line(emu("why", trace, "--at", "counter"), "prog: cannot read symbols: ")
