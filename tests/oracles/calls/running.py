"""Runs the programs of this folder, each of which tests single system calls, on Linux and under
emu.

Linux's results are recorded in ``NAME.linux.txt``, so the comparison does not depend on the host's
kernel.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from tests.guest.running import Run, run_emu
from toolchain.find import find

FOLDER = Path(__file__).parent
PROGRAMS = sorted(path.stem for path in FOLDER.glob("*.c"))
OPTIONS = {"user_ids": ("--user", "0")}
"""Options of emu for a program; Linux's results of this one are of a user with root's rights."""
FLAGS = ("-static", "-O1", "-w")


def recorded_results(name: str) -> list[str]:
    """Recorded results of Linux."""
    return (FOLDER / f"{name}.linux.txt").read_text().splitlines()


def by_linux(name: str) -> list[str]:
    """Results of this host's kernel, which must be Linux."""
    with tempfile.TemporaryDirectory() as folder:
        program = _build("gcc", name, Path(folder))
        done = subprocess.run(
            [program], capture_output=True, text=True, check=True, cwd=folder, timeout=60
        )
    return done.stdout.splitlines()


def by_emu(name: str) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        return run_emu(_build(find().gcc, name, Path(folder)), options=OPTIONS.get(name, ()))


def _build(gcc: str | Path, name: str, folder: Path) -> Path:
    program = folder / name
    subprocess.run([gcc, *FLAGS, "-o", program, FOLDER / f"{name}.c"], check=True)
    return program
