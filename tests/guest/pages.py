"""Pages of documentation with commands: runs them, and compares what they print."""

from __future__ import annotations

import re
import subprocess

from tests.emu.commands import environment
from tests.guest.running import PROJECT

_SETTING = re.compile(r"alias |\w+=\S+$|\w+='[^']*'$|\w+\(\) ")
"""A command that later ones need."""
# Numbers and addresses are those of one build of the programs.
_VARYING = (
    (re.compile(r"0x[0-9a-f]+"), "0x…"),
    (re.compile(r"python3\.\d+"), "python"),
    (re.compile(r"\d[\d,.]*"), "N"),
    (re.compile(r" +"), " "),
)


def sessions(page: str) -> list[tuple[str, str]]:
    """The commands of a page, each with the output that it shows."""
    blocks = re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    return re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", "".join(blocks), re.MULTILINE)


def normal(text: str) -> list[str]:
    """The lines without what may differ from run to run."""
    for pattern, replacement in _VARYING:
        text = pattern.sub(replacement, text)
    return [line.strip() for line in text.splitlines()]


def outputs(commands: list[tuple[str, str]]) -> list[str]:
    """Output of each command; one that fetches a root is not run.

    An address that a command found replaces the page's in the next.
    """
    printed: list[str] = []
    setup, found = "shopt -s expand_aliases\n", ""
    for command, _ in commands:
        if "emu root " in command:
            printed.append("")
            continue
        printed.append(_in_bash(setup + re.sub(r"pc 0x[0-9a-f]+", found, command)))
        found = "".join(re.findall(r"pc 0x[0-9a-f]+", printed[-1])[-1:]) or found
        if _SETTING.match(command):
            setup += command + "\n"
    return printed


def _in_bash(script: str) -> str:
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=PROJECT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr
