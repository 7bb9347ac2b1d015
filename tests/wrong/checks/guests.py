"""Whole programs, on a machine that checks its invariants at every trap.

A run must give what the right kernel gave: output, exit status, every count of faults and frames;
no frame may be left. The machine is deterministic, so the counts are exact. Some run on one that is
not, where the vector answers; they don't depend on time.
"""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

from emu import Machine, Result
from guest.manifest import BY_NAME
from tests.kernel.syscalls.guests import compiled
from tests.wrong.checks.check import SECONDS, Check, require_end, same
from tests.wrong.checks.questions import QUESTIONS, VECTOR_QUESTIONS
from toolchain.build import build

GUESTS = ("exact_child", "exact_kernel", "fork_exec")
ANSWERED_AT_ONCE = (*VECTOR_QUESTIONS, "a thread and its process are one memory", "fork_exec")
_TIMED = ("system_calls",)
"""Counts that depend on the end of a time slice: to join a thread that has ended takes no call."""


def _run(program: Path, deterministic: bool) -> Result:
    machine = Machine(
        check=True, deterministic=deterministic, memory=64 << 20,
        timeout=SECONDS, environment={"PATH": "/none"},
    )  # fmt: skip
    result = machine.run([program])
    require_end(result.status)
    return result


@cache
def _program(name: str) -> Path:
    question = QUESTIONS.get(name) or VECTOR_QUESTIONS.get(name)
    if question is not None:
        return compiled(question, "-pthread")
    guest = BY_NAME[name]
    return build([guest.source], flags=guest.flags)


@cache
def _right(name: str, deterministic: bool) -> Result:
    """Result of the correct kernel."""
    result = _run(_program(name), deterministic)
    assert result.status == 0 and b"FAIL" not in result.stdout, (name, result)
    return result


def _as_expected(name: str, deterministic: bool) -> None:
    right, found = _right(name, deterministic), _run(_program(name), deterministic)
    failed = [line for line in found.stdout.decode(errors="replace").splitlines() if "FAIL" in line]
    assert not failed, failed[0]
    same(found.notes, right.notes, "notes")
    same(found.status, right.status, "status")
    same(found.stdout, right.stdout, "output")
    differ = {
        count: f"{found.summary[count]}, not {value}"
        for count, value in right.summary.items()
        if found.summary[count] != value and (deterministic or count not in _TIMED)
    }
    assert not differ, f"counts: {differ}"


CHECKS = [
    Check(
        f"{layer}: {name}",
        partial(_as_expected, name, deterministic),
        partial(_right, name, deterministic),
    )
    for layer, names, deterministic in (
        ("guest", (*QUESTIONS, *GUESTS), True),
        ("vector", ANSWERED_AT_ONCE, False),
    )
    for name in names
]
