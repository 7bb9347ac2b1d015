"""Does every error of a command become one line and a status, and only in ``main``?"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import emu.cli
from emu.cli.main import COMMANDS, main
from emu.errors import CommandError
from emu.lab.mutants.results import NotJudged
from toolchain.errors import ToolchainError

CLI = Path(emu.cli.__file__).parent
NOWHERE = "/no/such/folder/file"


def failing(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    """Exit status of the command line when a command raises ``error``."""

    def fail(_arguments: object) -> int:
        raise error

    monkeypatch.setattr("emu.cli.commands.syscalls.show", fail)
    return main(["syscalls"])


@pytest.mark.parametrize(
    "error, status, line",
    [
        (CommandError("x: bad (expected y)"), 2, "emu: x: bad (expected y)"),
        (CommandError("x: bad", 70), 70, "emu: x: bad"),
        (ToolchainError("no compiler"), 2, "emu: no compiler"),
        (FileNotFoundError(2, "No such file", "a/b"), 2, "emu: a/b: No such file"),
        (
            FileNotFoundError(2, "No such file"),
            2,
            "emu: current directory: No such file or directory (it was removed)",
        ),
        (OSError(28, "No space left on device"), 1, "emu: standard output: No space left"),
        (MemoryError(), 2, "emu: could not start: out of memory"),
        (ImportError("no module"), 2, "emu: could not start: no module"),
    ],
)
def test_is_an_error_of_a_command_one_line_with_its_status(
    error: BaseException,
    status: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert failing(error, monkeypatch) == status
    (printed,) = capsys.readouterr().err.splitlines()
    assert printed.startswith(line)


def test_do_details_follow_the_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = CommandError("lab: x", 125, ["first", "second"])
    assert failing(error, monkeypatch) == 125
    assert capsys.readouterr().err == "emu: lab: x\n  first\n  second\n"


def test_is_an_error_in_grading_itself_a_defect() -> None:
    assert NotJudged.status == 70 and CommandError("x").status == 2


@pytest.mark.parametrize(
    "words, status, line",
    [
        (("run", NOWHERE), 127, f"{NOWHERE}: No such file or directory"),
        (("run", "/"), 126, "/: Is a directory (expected a 64-bit RISC-V Linux program)"),
        (
            ("run", "--trace=faults", "--trace-file", NOWHERE, "x"),
            2,
            f"{NOWHERE}: No such file or directory",
        ),
        (
            ("run", "--trace-file", NOWHERE, "x"),
            2,
            "--trace-file: no lines to write (expected --trace=faults or syscalls)",
        ),
        (("run", "--report", NOWHERE, "x"), 2, f"{NOWHERE}: No such file or directory"),
        (("trace", "-o", f"{NOWHERE}.txt", "x"), 2, f"{NOWHERE}.txt: No such file or directory"),
        (("trace", "--insn", "-o", f"{NOWHERE}.txt", "x"), 2, f"{NOWHERE}.txt: No such file"),
        (("cow", "-o", NOWHERE, "x"), 2, f"{NOWHERE}: No such file or directory"),
        (("why", "--at", "0", "-o", NOWHERE, "x"), 2, f"{NOWHERE}: No such file or directory"),
        (("compare", "-o", NOWHERE, "x"), 2, f"{NOWHERE}: No such file or directory"),
        (("report", "-o", NOWHERE, "/bin/true"), 2, f"{NOWHERE}: No such file or directory"),
        (("walk", "--satp", "0", "--mem", NOWHERE, "0"), 2, f"{NOWHERE}: No such file"),
        (("build", "-o", "x", NOWHERE), 2, f"{NOWHERE}: No such file or directory"),
        (("run", "--lab", NOWHERE, "x"), 2, NOWHERE),
        (("lab", "check", "--dir", NOWHERE), 2, NOWHERE),
        (("lab", "replay", "1", "--dir", NOWHERE), 2, "lab replay 1: no such failure"),
        (("lab", "start", "nosuch"), 2, ""),
        (("lab", "mutants", "nosuch"), 2, ""),
        (("lab", "mutants", "walk", "--tests", NOWHERE), 2, ""),
        (("lab", "grade", NOWHERE, "-o", "x"), 2, NOWHERE),
        (("lab", "grade", "--lab", "nosuch", "--list", "."), 2, ""),
        (("lab", "grade", "--private", NOWHERE, "--list", "."), 2, NOWHERE),
    ],
)
def test_has_each_command_its_status(
    words: tuple[str, ...], status: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == status
    output = capsys.readouterr()
    assert output.out == "" and output.err.count("\n") == 1
    assert output.err.startswith(f"emu: {line}")


def handlers(path: Path) -> list[str]:
    """The exceptions that a module handles."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler) and node.type is not None:
            found += [each.id for each in ast.walk(node.type) if isinstance(each, ast.Name)]
    return found


@pytest.mark.parametrize("name", [*COMMANDS, "lab_grade", "lab_mutants"])
def test_do_commands_only_raise_errors(name: str) -> None:
    """A handler of these would be a second place that prints an error and chooses a status."""
    handled = set(handlers(CLI / "commands" / f"{name}.py"))
    assert not handled & {"BuildError", "CannotRun", "CommandError", "NoSuchLab", "ToolchainError"}
