"""Are emu's counts those of Linux: faults, smaps, limits, advice?

Each program asks the system after each step. It is run under emu; what it printed on Debian's
riscv64 kernel is in a log, and this host's kernel runs it too. All lines that differ must be in the
table of known differences, and all lines that an entry of the table names must differ.

`make linux-log` makes the log anew, also after a change to a program.
"""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path

import pytest

from tests.oracles.linux.differences import DIFFERENCES, System, known, matches
from tests.oracles.linux.riscv64 import log
from tests.oracles.linux.riscv64.machine import BootError
from tests.oracles.linux.running import (
    by_emu,
    by_linux,
    needs_linux,
    needs_settings,
    this_host,
)
from tests.oracles.linux.sources import PROGRAMS, kernel_options, source, texts

LOG = log.load()
README = Path(__file__).with_name("README.md")
RISCV64, THIS_HOST = "riscv64", "this host"
CASES = [
    (program, system)
    for program in PROGRAMS
    for system in (RISCV64, THIS_HOST)
    if system == RISCV64 or not kernel_options(source(program))
]
"""This host's kernel was booted without options of a program. A program's cases are neighbours,
so that mostly one run under emu serves both."""


def compare(program: str, linux: list[str], system: System) -> None:
    """Fails unless exactly the lines of the table differ; the programs print equally many."""
    run = by_emu(program)
    assert (run.status, run.errors) == (0, "")
    assert run.summary["frames_leaked"] == 0
    patterns = known(program, system)
    wrong = []
    for theirs, ours in zip_longest(linux, run.output.splitlines(), fillvalue="(no line)"):
        expected = "differ" if matches(theirs, patterns) else "be equal"
        if (theirs == ours) != (expected == "be equal"):
            wrong.append(f"expected to {expected}:\nLinux: {theirs}\nemu:   {ours}")
    assert not wrong, "\n" + "\n".join(wrong)
    unused = [
        pattern for pattern in patterns if not any(matches(line, [pattern]) for line in linux)
    ]
    assert unused == [], "these patterns of the table match no line"


@pytest.mark.parametrize("program, system", CASES)
def test_counts_are_those_of_linux(program: str, system: str) -> None:
    if system == RISCV64:
        assert program not in log.outdated(LOG.entries), (
            "the log is of another program (make linux-log)"
        )
        compare(program, LOG.entries[program].lines, LOG.system)
    else:
        needs_linux()
        needs_settings(program)
        compare(program, by_linux(program), this_host())


def test_the_log_is_of_these_programs() -> None:
    assert log.outdated(LOG.entries) == [], "the log is of other programs (make linux-log)"


def test_the_table_names_programs_that_exist() -> None:
    assert {entry.program for entry in DIFFERENCES} <= set(PROGRAMS)


@pytest.mark.parametrize(
    "name, system", [(RISCV64, LOG.system), (THIS_HOST, System("6.18", "x86_64"))]
)
def test_the_documentation_says_how_many_lines_agree(name: str, system: System) -> None:
    programs = [program for program, of in CASES if of == name]
    lines = [(program, line) for program in programs for line in LOG.entries[program].lines]
    different = [line for program, line in lines if matches(line, known(program, system))]
    number = f"{len(programs)} programs, {len(lines):,} lines, of which {len(different)} differ"
    assert f"{number} |" in README.read_text()


def test_a_changed_header_makes_the_log_outdated(tmp_path: Path) -> None:
    program, header = tmp_path / "program.c", tmp_path / "header.h"
    program.write_text('/* kernel: hugepages=16 */\n#include "header.h"\n#include <stdio.h>\n')
    header.write_text("one\n")
    before = log.digest(program)
    assert texts(program) == [program.read_text(), "one\n"]
    header.write_text("two\n")
    assert log.digest(program) != before


def test_a_program_asks_for_options_of_the_kernel(tmp_path: Path) -> None:
    program = tmp_path / "program.c"
    program.write_text("/* kernel: hugepages=16 hugepagesz=2M */\nint main;\n")
    assert kernel_options(program) == ("hugepages=16", "hugepagesz=2M")
    program.write_text("/* The kernel: hugepages=16 */\n")
    assert kernel_options(program) == ()


def test_a_program_that_failed_is_not_recorded() -> None:
    console = "\n@begin one\nline\n\n@end one 0\n\n@begin two\nno\n\n@end two 0x100\n"
    assert log.outputs(console.partition("\n@begin two")[0], ["one"]) == {"one": ["line"]}
    with pytest.raises(BootError, match="two: ended with status 0x100"):
        log.outputs(console, ["one", "two"])
    with pytest.raises(BootError, match="three: did not run"):
        log.outputs("\n@begin one\n\n@end one 0\n", ["one", "three"])


@pytest.mark.parametrize(
    ("program", "setting", "is_run"),
    [
        ("huge", "always [madvise] never", True),
        ("huge_changes", "[always] madvise never", False),
        ("anonymous", "[always] madvise never", True),
    ],
)
def test_huge_pages_are_compared_only_under_the_setting_that_emu_has(
    program: str, setting: str, is_run: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "enabled"
    file.write_text(setting + "\n")
    monkeypatch.setattr("tests.oracles.linux.running._HUGE_PAGES", file)
    if is_run:
        needs_settings(program)
    else:
        with pytest.raises(pytest.skip.Exception, match="by madvise"):
            needs_settings(program)
