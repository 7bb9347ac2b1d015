"""Starts Python as a lab does, with only the standard library, and confines it."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.emu.commands import PROJECT, Outcome, ran

FLAGS = ("-I", "-S", "-B")
MEGABYTE = 1 << 20

START = f"""\
import sys
sys.path.insert(0, {str(PROJECT)!r})
from emu.lab.sandbox import confinement, imports
"""


def python(code: str, folder: Path | None = None, stdin: str = "") -> Outcome:
    """``folder`` replaces the folder of the project, from which ``emu`` is imported."""
    start = START if folder is None else START.replace(repr(str(PROJECT)), repr(str(folder)))
    return ran([sys.executable, *FLAGS, "-c", start + code], stdin=stdin)


def confined(
    code: str, before: str = "", memory: int = 512 * MEGABYTE, seconds: int = 10, stdin: str = ""
) -> Outcome:
    """``before`` runs before the confinement."""
    confine = f"HELD = confinement.confine({memory}, {seconds})\n"
    return python(before + "\n" + confine + code, stdin=stdin)
