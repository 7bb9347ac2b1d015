"""Are the commands and results of the page about gc.freeze() in a forked child correct?"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.emu.commands import environment
from tests.guest.running import PROJECT

PAGE = (PROJECT / "guest" / "GC_FREEZE.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
SESSIONS = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", "".join(BLOCKS), re.MULTILINE)
pytestmark = pytest.mark.root

ROOT = PROJECT / ".root" / "python"

# Numbers and addresses are those of one build of Python.
VARYING = (
    (re.compile(r"0x[0-9a-f]+"), "0x…"),
    (re.compile(r"python3\.\d+"), "python"),
    (re.compile(r"\d[\d,.]*"), "N"),
    (re.compile(r" +"), " "),
)


def normal(text: str) -> list[str]:
    for pattern, replacement in VARYING:
        text = pattern.sub(replacement, text)
    return [line.strip() for line in text.splitlines()]


@pytest.fixture(scope="module")
def printed() -> list[str]:
    """Output of each command; an address that a command found replaces the page's in the next."""
    if not ROOT.is_dir():
        pytest.skip("no riscv64 Python: make test-setup could not fetch it")
    outputs: list[str] = []
    setup = "shopt -s expand_aliases\n"
    found = ""
    for command, _ in SESSIONS:
        if not re.search(r"toolchain\.root", command):
            outputs.append(in_bash(setup + re.sub(r"pc 0x[0-9a-f]+", found, command)))
            found = "".join(re.findall(r"pc 0x[0-9a-f]+", outputs[-1])[-1:]) or found
            if re.match(r"alias|\w+=", command):
                setup += command + "\n"
        else:
            outputs.append("")
    return outputs


def in_bash(script: str) -> str:
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=PROJECT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_does_it_print_what_the_page_shows(printed: list[str]) -> None:
    assert len(SESSIONS) == 10
    for (command, expected), output in zip(SESSIONS, printed, strict=True):
        assert normal(output) == normal(expected), f"$ {command}\n{output}"


def test_does_freezing_save_what_the_page_says(printed: list[str]) -> None:
    copied = [re.match(r"copied for fork +([\d,]+) KiB", output) for output in printed]
    idle, collect, frozen = (int(match[1].replace(",", "")) for match in copied if match)
    assert collect > 10 * idle and frozen < collect / 4


def test_does_python_see_what_freezing_saves(printed: list[str]) -> None:
    views = [re.match(r"shared .*: ([\d,]+) KiB less", output) for output in printed]
    collected, frozen = (int(match[1].replace(",", "")) for match in views if match)
    assert frozen < collected / 4


def test_does_the_program_run_on_this_python_too() -> None:
    script = Path(PROJECT / "guest" / "gc_freeze.py")
    assert subprocess.run(["python3", script, "freeze", "collect"], check=False).returncode == 0
