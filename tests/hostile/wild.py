"""Runs the guest that makes random system calls, and checks the host for effects."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from emu import Machine
from toolchain.build import build

SOURCE = Path(__file__).with_name("wild_calls.c")
SECRET = "nobody may read or change this"


@dataclass(frozen=True)
class Report:
    """Problems after a run; empty when there are none."""

    seed: int
    wrong: list[str]


def run(seed: int, calls: int) -> Report:
    """Runs ``calls`` random calls from ``seed``, with the invariants checked at every return.

    Exceptions of the kernel, broken invariants among them, are passed on.
    """
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        for folder in ("outside", "granted", "current"):
            (base / folder).mkdir()
            (base / folder / "file").write_text(SECRET)
        (base / "granted" / "out").symlink_to(base / "outside")
        before = _snapshot(base)
        machine = Machine(
            memory=64 << 20,
            max_processes=64,
            deterministic=True,
            check=True,
            timeout=600,
            cwd=str(base / "current"),
            read_write=[(str(base / "granted"), "/granted")],
        )
        result = machine.run([build([SOURCE]), str(seed), str(calls)])
        wrong = [f"{path} changed" for path in _changed(before, _snapshot(base))]
    if result.status != 0 or f"{calls} calls by children" not in result.stdout.decode():
        wrong.append(f"status {result.status}, {result.stdout[-200:]!r}, {result.notes[-3:]}")
    if result.summary["frames_leaked"]:
        wrong.append(f"{result.summary['frames_leaked']} frames leaked")
    return Report(seed, wrong)


def _snapshot(base: Path) -> dict[str, tuple[int, str]]:
    """Mode and content of everything that the guest was not granted to change."""
    return {
        str(path.relative_to(base)): (
            path.lstat().st_mode,
            path.read_text() if path.is_file() else "",
        )
        for path in sorted(base.rglob("*"))
        if path.relative_to(base).parts[0] != "granted"
    }


def _changed(before: dict[str, tuple[int, str]], after: dict[str, tuple[int, str]]) -> list[str]:
    return sorted(
        path for path in before.keys() | after.keys() if before.get(path) != after.get(path)
    )
