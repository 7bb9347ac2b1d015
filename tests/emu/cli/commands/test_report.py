"""Does ``emu report`` write a page that a browser opens, and report failures in one line?"""

from __future__ import annotations

import base64
import json
import os
import re
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.emu.commands import Outcome, emu, program

SOURCE = """
static volatile char page[8192];
int main(void)
{
    page[5000] = 1; /* here */
    return 3;
}
"""
EXIT_7 = program("report_exit_7", "int main(void) { return 7; }\n")


def data_of(report: Path) -> dict[str, Any]:
    packed = re.search(rb'id="data">([^<]*)<', report.read_bytes())
    assert packed is not None
    data: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(packed[1])))
    return data


def trace(folder: Path) -> Path:
    file = folder / "x.jsonl"
    assert emu("trace", "-o", file, EXIT_7).status == 7
    return file


def assert_one_line(outcome: Outcome, words: str, status: int = 2) -> None:
    assert outcome.status == status
    assert outcome.stderr.count("\n") == 1 and words in outcome.stderr
    assert outcome.stderr.startswith("emu: ")


def test_a_program_is_run_and_reported(tmp_path: Path) -> None:
    outcome = emu("report", EXIT_7, "-o", tmp_path / "out.html")
    assert (outcome.status, outcome.stderr) == (7, "")
    data = data_of(tmp_path / "out.html")
    assert data["about"]["command"] == [str(EXIT_7)] and data["complete"]
    assert data["faults"]["step"] and data["code"]


def test_arguments_are_the_guests(tmp_path: Path) -> None:
    outcome = emu("report", "-o", tmp_path / "out.html", EXIT_7, "--", "-o", "else")
    assert outcome.status == 7
    assert data_of(tmp_path / "out.html")["about"]["command"][1:] == ["-o", "else"]


def test_a_trace_says_the_same_as_the_run(tmp_path: Path) -> None:
    file = trace(tmp_path)
    outcome = emu("report", file, "-o", tmp_path / "out.html")
    assert (outcome.status, outcome.stderr) == (0, "")
    data = data_of(tmp_path / "out.html")
    assert len(data["faults"]["step"]) == file.read_text().count('"event":"fault"')


def test_source_is_taken_from_a_folder_that_is_given(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "prog.c").write_text(SOURCE)
    (tmp_path / "away").mkdir()
    built = emu("build", "prog.c", "-o", "../away/prog", cwd=tmp_path / "src")
    assert built.status == 0
    options: dict[bool, list[str | Path]] = {False: [], True: ["--source", tmp_path / "src"]}
    for found, more in options.items():
        outcome = emu("report", "away/prog", "-o", "out.html", *more, cwd=tmp_path)
        assert outcome.status == 3
        assert ("here" in str(data_of(tmp_path / "out.html")["sources"])) is found


def test_run_writes_a_report_and_a_trace_beside_it(tmp_path: Path) -> None:
    outcome = emu(
        *("run", "--report", "out.html", "--trace-out", "x.jsonl", "--trace-out", "x.folded"),
        *("--summary=json", EXIT_7),
        cwd=tmp_path,
    )
    assert outcome.status == 7
    host_memory = {"host_memory": outcome.summary["host_memory"]}  # which depends on the host
    assert data_of(tmp_path / "out.html")["summary"] | host_memory == outcome.summary
    assert '"event":"end"' in (tmp_path / "x.jsonl").read_text().splitlines()[-1]
    assert (tmp_path / "x.folded").exists()


def test_run_knows_no_other_kind_of_trace(tmp_path: Path) -> None:
    outcome = emu("run", "--trace-out", "x.png", EXIT_7, cwd=tmp_path)
    assert outcome.status == 2 and "x.png" in outcome.stderr
    assert not (tmp_path / "x.png").exists()


def test_a_trace_that_was_cut_off_is_shown_up_to_there(tmp_path: Path) -> None:
    file = trace(tmp_path)
    file.write_bytes(file.read_bytes()[:5000])
    assert_one_line(emu("report", file, "-o", tmp_path / "out.html"), "cut off")
    assert not data_of(tmp_path / "out.html")["complete"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"hello\n", "line 1 is not a trace record"),
        (b'{"event":"start"}\n', "line 1 is not a trace record"),
        (b"\x7fELF\0\0\xff\n", "line 1 is not a trace record"),
        (b'{"event":"exit","seq":0,"time":0,"pid":1,"status":0}\n', "start record"),
    ],
)
def test_what_is_not_a_trace_is_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "x.jsonl").write_bytes(content)
    assert_one_line(emu("report", "x.jsonl", "-o", "out.html", cwd=tmp_path), words)
    assert not (tmp_path / "out.html").exists()


def test_a_filtered_trace_is_reported_and_said_to_be_one(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    assert emu("trace", "--outcome", "zero_filled", "-o", file, EXIT_7).status == 7
    outcome = emu("report", file, "-o", tmp_path / "out.html")
    assert_one_line(outcome, "x.jsonl: the trace was filtered", status=0)
    assert data_of(tmp_path / "out.html")["complete"]


def test_neither_program_nor_trace_is_overwritten(tmp_path: Path) -> None:
    file = trace(tmp_path)
    for wanted in (file, EXIT_7):
        before = wanted.read_bytes()
        assert_one_line(emu("report", "-o", wanted, wanted), "output would overwrite the input")
        assert wanted.read_bytes() == before


def test_a_report_is_kept_when_the_next_program_cannot_be_run(tmp_path: Path) -> None:
    report = tmp_path / "out.html"
    report.write_text("earlier")
    assert_one_line(emu("report", "-o", report, tmp_path / "nothing"), "No such", status=127)
    assert report.read_text() == "earlier"


def test_another_schema_is_named(tmp_path: Path) -> None:
    file = trace(tmp_path)
    file.write_text(file.read_text().replace('"schema":2', '"schema":99', 1))
    assert_one_line(emu("report", file, "-o", tmp_path / "out.html"), "schema 99")


def test_files_that_cannot_be_read_or_written_are_named(tmp_path: Path) -> None:
    file = trace(tmp_path)
    assert_one_line(emu("report", "none.jsonl", "-o", "out.html", cwd=tmp_path), "none.jsonl: No")
    assert_one_line(emu("report", tmp_path, "-o", tmp_path / "o.html"), "", status=126)
    (tmp_path / "folder.jsonl").mkdir()
    assert_one_line(emu("report", tmp_path / "folder.jsonl", "-o", "o.html"), "folder.jsonl: Is a")
    for wanted in (file, EXIT_7):
        assert_one_line(emu("report", wanted, "-o", "no/such/out.html", cwd=tmp_path), "No such")
    assert_one_line(emu("report", EXIT_7.parent / "no-such", "-o", tmp_path / "o"), "", status=127)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    for wanted in (trace(tmp_path), EXIT_7):
        assert_one_line(
            emu("report", wanted, "-o", "/dev/full"),
            "No space left on device; no report was written",
        )
    assert_one_line(emu("run", "--report", "/dev/full", EXIT_7), "No space left", status=7)


def test_a_trace_takes_no_arguments(tmp_path: Path) -> None:
    file = trace(tmp_path)
    assert_one_line(
        emu("report", "-o", tmp_path / "o.html", file, "word"),
        "word: unexpected argument after the trace file",
    )


def test_the_report_needs_a_name() -> None:
    outcome = emu("report", EXIT_7)
    assert outcome.status == 2 and "-o" in outcome.stderr
