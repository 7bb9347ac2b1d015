"""The commands in the README, and a folder in which they are run."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

Sessions = list[tuple[str, str]]


def sessions(blocks: list[str]) -> Sessions:
    """The commands of blocks, each with the output that is shown."""
    return re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", "\n".join(blocks), re.MULTILINE)


BLOCKS = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
SESSIONS = sessions([block for block in BLOCKS if "emu root " not in block])
WITH_ROOT = sessions([block for block in BLOCKS if "emu root " in block])

# Addresses, frames, code and the C library's function that forks depend on the toolchain.
VARYING = (
    (re.compile(r"0x[0-9a-f]+"), "0x…"),
    (re.compile(r"  (?:c\.)?s[bd] \w+, -?\w+\(\w+\)  "), "  a store  "),
    (re.compile(r"(demo_cow\.c:30 main) \(\w+\)"), r"\1 (forks)"),
    (re.compile(r"\d+\.\d+ ms"), "N ms"),
    (re.compile(r" +"), " "),
)


def normal(text: str) -> list[str]:
    for pattern, replacement in VARYING:
        text = pattern.sub(replacement, text)
    return text.strip().splitlines()


def missing(expected: str, printed: str) -> list[str]:
    """The lines of ``expected`` that were not printed in this order."""
    lines = iter(normal(printed))
    return [line for line in normal(expected) if line not in lines]


def make_checkout(folder: Path) -> Path:
    """A folder that looks like a checkout after make setup, but may be written to."""
    (folder / "guest").symlink_to(ROOT / "guest")
    command = ROOT / ".venv" / "bin" / "emu"
    emu = command if command.exists() else shutil.which("emu")
    if emu is None:
        pytest.fail("the emu command is not installed: make setup")
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "emu").symlink_to(emu)
    return folder


def compare(commands: Sessions, checkout: Path) -> None:
    """Runs the commands, and compares what they print."""
    for command, expected in commands:
        done = subprocess.run(
            ["bash", "-c", command], cwd=checkout, capture_output=True, text=True, check=False
        )
        assert missing(expected, done.stdout) == [], f"$ {command}\n{done.stdout}{done.stderr}"
