"""Every kind of work, in the order of the table, and its sizes."""

from __future__ import annotations

from dataclasses import replace

from kernel.mm.forking.fork import POLICIES
from tests.bench.commands import (
    Hello,
    InstructionRate,
    Subshells,
    TraceCost,
    TracedRuns,
)
from tests.bench.debian import Compiler, PythonScript, PythonStart, Redis
from tests.bench.debug_info import DebugInfo
from tests.bench.program import Arguments, Program
from tests.bench.resident import Resident
from tests.bench.work import Size, Work

MEBIBYTES = (1, 64, 256, 1024)
RANGES = (1, 64, 256)  # MiB too
PROCESSES = (1, 10, 100, 1000)


def _sizes(full: str, quick: str, tiny: str) -> Arguments:
    return {Size.FULL: full, Size.QUICK: quick, Size.TINY: tiny}


_ALL = tuple(POLICIES)
_LAZY = tuple(policy for policy in POLICIES if policy != "eager")  # those that have CoW breaks


def _program(name: str, row: str | dict[str, str], sizes: Arguments) -> Program:
    """A program that prints its own name, or several, as rows."""
    return Program(name=name, rows={name: row} if isinstance(row, str) else row, arguments=sizes)


WORKS: tuple[Work, ...] = (
    _program("integer", "integer loop", _sizes("40000000", "20000000", "10")),
    _program("mix", "mix, as CoreMark", _sizes("10000", "4000", "2")),
    _program("floating", "floating point", _sizes("1000000", "500000", "10")),
    _program(
        "memory",
        {"random": "random 8 MiB", "sequential": "sequential 8 MiB"},
        _sizes("20000000", "10000000", "10"),
    ),
    _program("memset", "memset 64 MiB, 20 times", _sizes("20 64", "20 64", "1 1")),
    _program("getppid", "getppid", _sizes("100000", "30000", "5")),
    _program("pingpong", "pipe ping-pong", _sizes("5000", "1500", "2")),
    _program("touch", "first touch", _sizes("4096 8", "4096 3", "4 1")),
    _program("increment", "p[i]++, untouched", _sizes("4096 8", "4096 3", "4 1")),
    replace(_program("cow", "CoW break", _sizes("4096 8", "4096 3", "4 1")), policies=_LAZY),
    _program(
        "new_memory",
        {
            "new_touch": "first touch, new memory",
            "new_cow": "CoW break, new memory",
            "new_fork": "fork, new memory",
        },
        _sizes("8192", "4096", "4"),
    ),
    Program(
        name="fork",
        rows={f"fork_{size}": f"fork {size} MiB" for size in MEBIBYTES}
        | {f"first_{size}": f"first fork {size} MiB" for size in MEBIBYTES[-1:]},
        arguments=_sizes("1 20 64 10 256 5 1024 3", "1 20 64 5 256 3 1024 2", "1 1"),
        by_policy={"eager": _sizes("1 20 64 2 256 1 1024 1", "1 10 64 1 256 1", "1 1")},
        heavy=True,
        policies=_ALL,
        mem="3G",  # eager needs 1 GiB twice
    ),
    Program(
        name="mappings",
        rows={
            f"{call}_{size}": f"{call} {size} MiB"
            for size in RANGES
            for call in ("mprotect", "mremap", "munmap")
        },
        arguments=_sizes("64 256", "64", "1"),
        heavy=True,
    ),
    Program(
        name="leave",
        rows={
            f"{call}_{size}": f"{call} {size} MiB" for size in RANGES for call in ("exit", "exec")
        },
        arguments=_sizes("64 256", "64", "1"),
        heavy=True,
    ),
    replace(_program("fork_wait", "fork+wait", _sizes("500", "150", "2")), policies=_ALL),
    _program("fork_exec", "fork+exec+wait", _sizes("100", "40", "1")),
    replace(
        _program("many", "1,000 live processes, each", _sizes("1000", "1000", "3")), heavy=True
    ),
    Program(
        name="crowd",
        rows={f"touch_{count}": f"first touch, {count} live" for count in PROCESSES}
        | {f"cow_{count}": f"CoW break, {count} live" for count in PROCESSES},
        arguments=_sizes("2048 1 10 100 1000", "512 1 10 100 1000", "4 1 10"),
        heavy=True,
    ),
    Subshells(name="subshells"),
    Hello(name="hello"),
    PythonStart(name="python"),
    PythonScript(name="script"),
    Compiler(name="cc1"),
    Redis(name="redis"),
    DebugInfo(name="debug_info", compared=False),
    TraceCost(name="trace", unit="x", compared=False),
    TracedRuns(name="traced", unit="x", compared=False, heavy=True),
    InstructionRate(name="insn", unit="million/s", compared=False),
    Resident(name="resident", unit="MiB", compared=False, heavy=True, mem="16G"),
)
