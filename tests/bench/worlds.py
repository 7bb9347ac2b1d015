"""Environments in which a program runs: emu, emu in pure Python, qemu-riscv64, or native."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench.compiling import PROJECT, for_guest, for_host, host_compiler

SECONDS = 120  # far above what any program takes


class Failed(Exception):
    """A program failed; the message is one line."""


@dataclass(frozen=True)
class World:
    """First arguments of a command, and the function that builds a program for it."""

    name: str
    runner: tuple[str, ...]
    compiled: Callable[[str], Path]

    def run(self, program: str, *arguments: str) -> str:
        """The output of one of our programs."""
        return self.run_command(str(self.compiled(program)), *arguments)

    def run_command(self, *words: str) -> str:
        """The output of an installed command."""
        try:
            done = subprocess.run(
                [*self.runner, *words],
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Failed(f"more than {SECONDS} s") from error
        if done.returncode != 0:
            last = [line for line in (done.stdout + done.stderr).splitlines() if line][-1:]
            raise Failed(f"status {done.returncode} {''.join(last)}"[:160])
        return done.stdout

    def environment(self) -> dict[str, str]:
        """emu comes from this tree; a program under qemu executes others under qemu."""
        environment = os.environ | {"PYTHONPATH": str(PROJECT)}
        environment["EMU_PURE"] = "1" if self.name == "pure" else "0"
        if self.name == "qemu":
            environment["GUEST_RUNNER"] = " ".join(self.runner)
        return environment


def emu(options: Sequence[str] = (), command: str = "run") -> World:
    """``emu run``, or another command, as a user starts it, from the virtual environment."""
    script = Path(sys.executable).with_name("emu")
    start = (str(script),) if script.exists() else (sys.executable, "-m", "emu")
    return World("emu", (*start, command, *options), for_guest)


def pure(options: Sequence[str] = ()) -> World:
    """``emu run`` in pure Python."""
    return replace(emu(options), name="pure")


def others() -> tuple[list[World], list[str]]:
    """Worlds for comparison with emu, and a note for each that this machine lacks."""
    found, notes = [], []
    qemu = shutil.which("qemu-riscv64")
    if qemu:
        found.append(World("qemu", (qemu,), for_guest))
    else:
        notes.append("qemu-riscv64 is missing: no column for it")
    if host_compiler():
        found.append(World("native", (), for_host))
    else:
        notes.append("gcc is missing: no native column")
    if "[always]" in _huge_pages():
        notes.append("transparent huge pages are on for all: native faults serve 512 pages at once")
    return found, notes


def _huge_pages() -> str:
    try:
        return Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text()
    except OSError:
        return ""
