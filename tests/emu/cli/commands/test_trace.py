"""Does ``emu trace`` report each page fault as it occurs, and write traces to files?"""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from tests.emu.commands import EMU, PROJECT, emu, environment, program
from tests.guest.running import needs_terminals
from toolchain.build import build

BREAKS_ONE_PAGE = """
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
char page[4096] __attribute__((aligned(4096)));
__attribute__((noinline)) static void write_it(void)
{
    page[5] = 'c'; /* LINE */
}
int main(void)
{
    page[0] = 'p';
    if (!fork()) {
        write_it();
        _exit(7);
    }
    int status;
    wait(&status);
    return WEXITSTATUS(status);
}
"""


@pytest.fixture(scope="module")
def guest() -> Path:
    return program("breaks_one_page", BREAKS_ONE_PAGE)


LINE = 1 + BREAKS_ONE_PAGE[: BREAKS_ONE_PAGE.index("/* LINE")].count("\n")


def test_is_the_line_that_broke_the_sharing_named(guest: Path) -> None:
    ran = emu("trace", "--function", "write_it", guest)
    (copied,) = [line for line in ran.stderr.splitlines() if "COPIED" in line]
    assert "write_it+0x" in copied and f"breaks_one_page.c:{LINE}" in copied
    assert re.search(r"store 0x[0-9a-f]+005 ", copied), copied
    assert re.search(r"R--U--D CoW → 0x[0-9a-f]+ RW-U-AD  count 2 → 1  shared with pid 2", copied)
    assert any("1 of its 4,096 bytes had changed" in line for line in ran.stderr.splitlines())
    assert ran.status == 7 and ran.stdout == ""


def test_the_machine_is_not_there_yet_when_the_writers_process_is_created() -> None:
    imports = "import emu.cli.commands.trace, emu.cli.support.recording, sys; print(*sys.modules)"
    loaded = set(subprocess.check_output([EMU[0], "-c", imports], text=True, cwd=PROJECT).split())
    assert "emu.cli.support.recording" in loaded
    assert not loaded & {"emu.api", "emu.machine.engine", "kernel.kernel"}, "a fork shares them"


def test_a_program_that_cannot_run_leaves_no_trace(tmp_path: Path) -> None:
    done = emu("trace", "-o", tmp_path / "t.jsonl", tmp_path / "missing")
    assert done.status == 127 and not (tmp_path / "t.jsonl").exists()
    assert done.stderr == f"emu: {tmp_path}/missing: No such file or directory\n"


def test_options_may_follow_the_program_and_words_after_two_dashes_are_its_own() -> None:
    echo = program(
        "trace_echo", "#include <stdio.h>\nint main(int n, char **w) { puts(w[n - 1]); }"
    )
    ran = emu("trace", echo, "--outcome", "copied", "--", "--outcome")
    assert ran.stdout == "--outcome\n" and "zero-filled" not in ran.stderr


@pytest.mark.parametrize(
    "options, others",
    [
        (("--pid", "3"), "[pid 2]"),
        (("--outcome", "copied"), "zero-filled"),
        (("--address", "0x3000000000-0x4000000000"), "store 0x7"),
    ],
)
def test_are_only_the_chosen_faults_reported(
    guest: Path, options: tuple[str, str], others: str
) -> None:
    faults = [line for line in emu("trace", *options, guest).stderr.splitlines() if " pte " in line]
    assert faults and not any(others in line for line in faults)


@pytest.mark.parametrize(
    "words, message",
    [
        (("--function", "foo"), "in function foo"),
        (("--pid", "9", "--outcome", "file-copied"), "of pid 9 with outcome file-copied"),
        (("--around-faults", "2", "--address", "0x8"), "at 0x8"),
        (("-o", "/dev/null.txt", "--function", "foo"), ""),
    ],
)
def test_is_a_filter_that_chose_nothing_reported(
    guest: Path, words: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    words = tuple(word.replace("/dev/null", str(tmp_path / "t")) for word in words)
    ran = emu("trace", *words, guest)
    assert ran.status == 7
    assert re.fullmatch(rf"emu: \d+ faults, none {message or 'in function foo'}", ran.messages[0])
    assert emu("trace", "--function", "write_it", guest).messages == []


@pytest.mark.parametrize("words", [(), ("--around-faults", "2")])
@pytest.mark.parametrize("place, count", [("page", 3), ("page+6", 3), ("page+0x5", 2)])
def test_may_addresses_be_named_by_a_symbol(
    guest: Path, place: str, count: int, words: tuple[str, ...]
) -> None:
    text = emu("trace", *words, "--address", place, guest).stderr
    faults = [line for line in text.splitlines() if " pte " in line]
    at = [re.search(r"(?:store|load) 0x[0-9a-f]+(00[05]) ", line) for line in faults]
    assert len(faults) <= count and all(at) and faults, text


def test_is_a_symbol_that_is_not_there_refused_before_a_file_is_touched(
    guest: Path, tmp_path: Path
) -> None:
    file = tmp_path / "t.jsonl"
    file.write_text("earlier")
    ran = emu("trace", "--address", "nosuch", "-o", file, guest)
    assert ran.status == 2 and ran.stderr == f"emu: {guest}: no symbol 'nosuch'\n"
    assert file.read_text() == "earlier"


@pytest.mark.parametrize("words", ["COPIED,file-copied", "File Copied, copied", "copied"])
def test_may_outcomes_be_written_in_any_case_and_with_hyphens(guest: Path, words: str) -> None:
    lines = emu("trace", "--outcome", words, guest).stderr.splitlines()
    assert any("→ COPIED" in line for line in lines)
    assert any("file page copied" in line for line in lines) is ("," in words)
    assert not any("zero-filled" in line for line in lines)


def test_are_faults_chosen_that_copied_a_shared_table(guest: Path) -> None:
    words = ("--fork-policy", "shared-tables", "--outcome", "table-unshared", guest)
    faults = [line for line in emu("trace", *words).stderr.splitlines() if " pte " in line]
    assert faults and all("leaf table copied" in line for line in faults)


def test_does_walk_draw_the_entries_and_the_broken_rule(guest: Path) -> None:
    lines = emu("trace", "--walk", "--function", "write_it", guest).stderr.splitlines()
    at = next(number for number, line in enumerate(lines) if "COPIED" in line)
    drawing = [line.strip() for line in lines[at + 1 : at + 6]]
    assert "root table" in drawing[0]
    assert [line[:9] for line in drawing[1:4]] == ["├ level 2", "├ level 1", "├ level 0"]
    assert drawing[3].endswith("R--U--D CoW") and drawing[4] == "└ the page's W bit is clear"


def test_is_a_call_that_does_not_return_reported_as_strace_does(guest: Path) -> None:
    calls = [line for line in emu("trace", "--calls", guest).stderr.splitlines() if ") = " in line]
    assert [line for line in calls if line.endswith(" = ?")]
    assert not [line for line in calls if "None" in line]


def test_does_the_guests_output_stay_its_own() -> None:
    hello = build([PROJECT / "guest" / "hello.c"])
    ran = emu("trace", hello)
    assert ran.stdout == emu("run", hello).stdout and " pte " in ran.stderr


def test_is_it_plain_text_where_colours_are_not_shown(guest: Path) -> None:
    assert "\x1b" not in emu("trace", guest).stderr


def test_is_it_coloured_on_a_terminal(guest: Path) -> None:
    assert "\x1b[33mCOPIED" in on_a_terminal("trace", guest)
    assert "\x1b" not in on_a_terminal("trace", guest, NO_COLOR="1")


def on_a_terminal(*words: str | Path, **variables: str) -> str:
    """Returns the output on stderr when it is a terminal."""
    needs_terminals()
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*EMU, *map(str, words)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=slave,
        env={**environment(), **variables},
    )
    os.close(slave)
    shown = b""
    try:
        while part := os.read(master, 1 << 16):
            shown += part
    except OSError:  # the other side is closed
        pass
    os.close(master)
    process.wait()
    return shown.decode()


def test_are_files_written_each_as_its_suffix_says(guest: Path, tmp_path: Path) -> None:
    names = [tmp_path / f"t{suffix}" for suffix in (".jsonl", ".folded", ".perfetto-trace", ".txt")]
    ran = emu("trace", *(word for name in names for word in ("-o", name)), guest)
    assert ran.stderr == "" and ran.status == 7
    lines = names[0].read_text().splitlines()
    assert json.loads(lines[0])["event"] == "start" and json.loads(lines[-1])["event"] == "end"
    assert re.search(r"main;write_it 4096$", names[1].read_text(), re.MULTILINE)
    assert names[2].stat().st_size > 1000
    assert "COPIED" in names[3].read_text()


@pytest.mark.parametrize(
    "words, message",
    [
        (
            ("-o", "trace.html"),
            "'trace.html': unknown file type (expected a name ending in ",
        ),
        (("-o", "/nowhere/trace.jsonl"), "emu: /nowhere/trace.jsonl: No such file or directory"),
        (("--outcome", "burnt"), "'burnt': unknown outcome (expected one of "),
        (("--outcome", "copied,"), "'': unknown outcome (expected one of "),
        (("--address", "12-3"), "'12-3': empty address range"),
        (("--insn", "--around-faults", "3"), "--insn: not allowed with --around-faults"),
        (("--insn=nosuch",), ": no symbol 'nosuch'"),
        (("--insn", "-o", "a.folded"), "-o: instructions are written to one file (expected "),
    ],
)
def test_is_a_wrong_option_refused_in_one_line(
    guest: Path, words: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    ran = emu("trace", *words, guest, cwd=tmp_path)
    assert ran.status == 2 and message in ran.stderr and "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    "words, status",
    [(("trace", "-o"), 2), (("trace", "--insn", "-o"), 2), (("run", "--trace-out"), 7)],
)
def test_is_a_full_disk_status_2_where_the_trace_is_what_is_wanted(
    guest: Path, tmp_path: Path, words: tuple[str, ...], status: int
) -> None:
    full = tmp_path / "full.jsonl"
    full.symlink_to("/dev/full")
    ran = emu(*words, full, guest)
    assert ran.status == status and ran.messages == [
        f"emu: {full}: No space left on device; the trace ends here"
    ]


@pytest.mark.parametrize("words", [(), ("--insn",), ("--around-faults", "3")])
def test_is_a_file_kept_when_the_program_cannot_be_run(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    suffix = ".txt" if words else ".jsonl"
    earlier, new = tmp_path / f"earlier{suffix}", tmp_path / f"new{suffix}"
    earlier.write_text("earlier\n")
    for name in (earlier, new):
        assert emu("trace", *words, "-o", name, tmp_path / "nothing").status == 127
    assert earlier.read_text() == "earlier\n" and not new.exists()


def test_is_a_longer_file_emptied_before_it_is_written(guest: Path, tmp_path: Path) -> None:
    for name, words in (("t.jsonl", ()), ("i.txt", ("--insn=write_it",))):
        file = tmp_path / name
        file.write_text("earlier\n" * 100_000)
        assert emu("trace", *words, "-o", file, guest).status == 7
        assert "earlier" not in file.read_text()


def test_is_the_program_not_overwritten_by_its_trace(guest: Path, tmp_path: Path) -> None:
    copy, link = tmp_path / "prog.jsonl", tmp_path / "link.txt"
    copy.write_bytes(guest.read_bytes())
    copy.chmod(0o755)
    link.symlink_to(copy)
    for words in (
        ("trace", "-o", copy),
        ("trace", "--insn", "-o", link),
        ("run", "--trace-out", copy),
        ("run", "--trace=faults", "--trace-file", link),
        ("run", "--report", link),
    ):
        ran = emu(*words, copy)
        assert (ran.status, ran.stdout) == (2, "")
        assert ran.messages == [f"emu: {words[-1]}: output would overwrite the input"]
    assert copy.read_bytes() == guest.read_bytes()


def test_does_run_keep_a_trace_file_of_an_earlier_run(guest: Path, tmp_path: Path) -> None:
    file = tmp_path / "faults"
    words = ("run", "--trace", "faults", "--trace-file", file)
    assert emu(*words, guest).status == 7
    earlier = file.read_text()
    assert "COPIED" in earlier
    assert emu(*words, tmp_path / "nothing").status == 127
    assert file.read_text() == earlier


def test_are_the_instructions_of_a_function_shown(guest: Path) -> None:
    lines = emu("trace", "--insn=write_it", guest).stderr.splitlines()
    assert lines and all(line.startswith("[pid 3] 0x") for line in lines)
    assert any(re.search(r"store 0x\w+005 → pa 0x\w+005 \(1\)$", line) for line in lines)
    assert lines[-1].endswith("ra")


def test_are_instructions_also_objects(guest: Path, tmp_path: Path) -> None:
    name = tmp_path / "insn.jsonl"
    assert emu("trace", "--insn=write_it", "-o", name, guest).stderr == ""
    stores = [json.loads(line) for line in name.read_text().splitlines() if "store" in line]
    assert [store["size"] for store in stores] == [1]


def test_is_what_led_to_a_fault_shown(guest: Path) -> None:
    text = emu("trace", "--around-faults", "3", guest).stderr
    (window,) = [part for part in text.split("\n\n") if re.search(r"005 → COPIED", part)]
    assert len(window.splitlines()) == 4
    assert f"write_it+0x8 breaks_one_page.c:{LINE}" in window.splitlines()[-1]


def test_are_windows_shown_of_the_chosen_faults_only(guest: Path) -> None:
    words = ("--around-faults", "2", "--function", "write_it", "--walk")
    window, end = emu("trace", *words, guest).stderr.split("\n\n")
    lines = window.splitlines()
    assert end == "" and "COPIED" in lines[2] and "root table" in lines[3]
    assert all(line.startswith("[pid 3]    0x") for line in lines[:2])


@pytest.mark.parametrize(
    "words",
    [
        ("--pid", "3"),
        ("--outcome", "copied"),
        ("--address", "0"),
        ("--function", "main"),
        ("--calls",),
        ("--walk",),
    ],
)
def test_no_choice_of_faults_is_ignored(guest: Path, words: tuple[str, ...]) -> None:
    ran = emu("trace", "--insn", *words, guest)
    assert (ran.status, ran.stderr) == (
        2,
        f"emu: --insn: not allowed with {words[0]} (--insn=RANGE selects instructions)\n",
    )
