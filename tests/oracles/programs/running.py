"""Runs random programs under qemu-riscv64 and under emu, and compares."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from tests.guest.running import POLICIES, run_emu, run_qemu
from tests.oracles.programs.generator import program
from toolchain.find import find

FOLDER = Path(__file__).parent
FLAGS = ("-static", "-O1", "-w", "-I", str(FOLDER))


def build_program(seed: int, folder: Path) -> Path:
    """Compiles program ``seed``, without the cache of toolchain.build."""
    source, output = folder / f"program{seed}.c", folder / f"program{seed}"
    source.write_text(program(seed))
    subprocess.run([find().gcc, *FLAGS, "-o", output, source], check=True)
    return output


def compare(seed: int, policies: tuple[str, ...] = POLICIES) -> str | None:
    """First difference of emu from qemu on program ``seed``, or its leaks; None without any."""
    with tempfile.TemporaryDirectory() as folder:
        ours = build_program(seed, Path(folder))
        oracle = run_qemu(ours)
        for policy in policies:
            run = run_emu(ours, options=("--check", "--fork-policy", policy))
            prefix = f"policy {policy}, statuses {oracle.status} and {run.status}\n{run.errors}\n"
            if (run.output, run.status) != (oracle.output, oracle.status):
                return prefix + difference(oracle.output, run.output)
            if run.summary["frames_leaked"]:
                return f"{prefix}{run.summary['frames_leaked']} frames leaked"
    return None


def difference(theirs: str, ours: str) -> str:
    """The first line that differs, after the three before it."""
    expected, got = [*theirs.splitlines(), "(end)"], [*ours.splitlines(), "(end)"]
    for number, (one, other) in enumerate(zip(expected, got, strict=False)):
        if one != other:
            before = expected[max(number - 3, 0) : number]
            return "\n".join(("after", *before, f"qemu: {one}", f"emu: {other}"))
    return "no line differs"
