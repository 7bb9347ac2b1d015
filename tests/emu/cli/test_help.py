"""Does the help of a command show its own options first, in 80 columns?"""

from __future__ import annotations

import re

import pytest

from emu.cli.main import COMMANDS, main

RUN_A_GUEST = ("run", "trace", "report", "cow", "compare", "why", "walk")
SHARED = ("machine:", "guest's view of the host:", "limits:")
COMMAND_GROUPS = {
    "machine:": ("--deterministic", "--check", "--fail-alloc"),
    "guest's view of the host:": ("--env", "--cwd", "--ro", "--rw"),
    "limits:": ("--timeout", "--max-procs", "--kernel-memory"),
}
OWN = {
    "run": ("--summary", "--trace", "--report"),
    "trace": ("--output", "--walk", "--insn", "--outcome"),
    "report": ("--output", "--source"),
    "cow": ("--max-cow-kb", "--top"),
    "compare": ("--output", "--json"),
    "why": ("--at", "--pid"),
    "walk": ("--at", "--access", "--satp", "--mem", "--root"),
}
ACTIONS = ("list", "start", "check", "replay", "grade", "workflow", "mutants")


def help_of(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[str]:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    assert main([*words, "--help"]) == 0
    return capsys.readouterr().out.splitlines()


def place_of(option: str, lines: list[str]) -> int:
    """The line at which an option is described."""
    described = re.compile(rf"  (-\w( \S+)?, )?{option}\b(?!-)")
    (at,) = [at for at, line in enumerate(lines) if described.match(line)]
    return at


@pytest.mark.parametrize(
    "words", [(), *((name,) for name in COMMANDS), *(("lab", action) for action in ACTIONS)]
)
def test_fits_it_in_80_columns(
    words: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = help_of(words, monkeypatch, capsys)
    assert [line for line in lines if len(line) > 80] == []


@pytest.mark.parametrize("command", RUN_A_GUEST)
def test_are_options_of_all_runs_in_groups_after_its_own(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = help_of((command,), monkeypatch, capsys)
    starts = [lines.index(title) for title in SHARED]
    assert starts == sorted(starts)
    assert all(place_of(option, lines) < starts[0] for option in OWN[command])
    for (title, options), start, end in zip(
        COMMAND_GROUPS.items(), starts, [*starts[1:], len(lines)], strict=True
    ):
        places = [place_of(option, lines) for option in options]
        assert all(start < place < end for place in places), f"{title} {options}"
