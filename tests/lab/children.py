"""Starts Python as a lab does, with nothing but the standard library, and confines it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
FLAGS = ("-I", "-S", "-B")
SECONDS = 60
MEGABYTE = 1 << 20

START = f"""\
import sys
sys.path.insert(0, {str(PROJECT)!r})
from emu.lab.inside import imports, sandbox
"""


@dataclass(frozen=True)
class Outcome:
    """``status`` as subprocess has it: a signal's number is negative."""

    status: int
    stdout: str
    stderr: str


def python(code: str, folder: Path | None = None, stdin: str = "") -> Outcome:
    """``folder`` is where ``emu`` is found, when it is not the project's."""
    start = START if folder is None else START.replace(repr(str(PROJECT)), repr(str(folder)))
    done = subprocess.run(
        [sys.executable, *FLAGS, "-c", start + code],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def confined(
    code: str, before: str = "", memory: int = 512 * MEGABYTE, seconds: int = 10, stdin: str = ""
) -> Outcome:
    """``before`` runs while all is still allowed."""
    confine = f"HELD = sandbox.confine({memory}, {seconds})\n"
    return python(before + "\n" + confine + code, stdin=stdin)
