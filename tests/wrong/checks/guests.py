"""Whole programs, on a machine that looks after its invariants at every trap.

A run must give what the right kernel gave: output, exit status, every count of faults and frames;
no frame may be left. The machine is deterministic, so the counts are exact.
"""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

from emu import Machine, Result
from guest.manifest import BY_NAME
from tests.kernel.syscalls.guests import compiled
from tests.wrong.checks.check import Check, same
from tests.wrong.checks.questions import QUESTIONS
from toolchain.build import build

GUESTS = ("exact_child", "exact_kernel", "fork_exec")
SECONDS = 15


def _run(program: Path) -> Result:
    machine = Machine(
        check=True, deterministic=True, timeout=SECONDS, memory=64 << 20,
        environment={"PATH": "/none"},
    )  # fmt: skip
    return machine.run([program])


@cache
def _program(name: str) -> Path:
    if name in QUESTIONS:
        return compiled(QUESTIONS[name], "-pthread")
    guest = BY_NAME[name]
    return build([guest.source], flags=guest.flags)


@cache
def _right(name: str) -> Result:
    """What the right kernel gives."""
    result = _run(_program(name))
    assert result.status == 0 and b"FAIL" not in result.stdout, (name, result)
    return result


def _as_it_should_be(name: str) -> None:
    right, found = _right(name), _run(_program(name))
    failed = [line for line in found.stdout.decode(errors="replace").splitlines() if "FAIL" in line]
    assert not failed, failed[0]
    same(found.notes, right.notes, "notes")
    same(found.status, right.status, "status")
    same(found.stdout, right.stdout, "output")
    differ = {
        count: f"{found.summary[count]}, not {value}"
        for count, value in right.summary.items()
        if found.summary[count] != value
    }
    assert not differ, f"counts: {differ}"


CHECKS = [
    Check(f"guest: {name}", partial(_as_it_should_be, name), partial(_right, name))
    for name in (*QUESTIONS, *GUESTS)
]
