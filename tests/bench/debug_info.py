"""Cost of a large program's debug information for a trace: 50 MiB of DWARF in many units."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter_ns

from tests.bench.work import Size, Work
from tests.bench.worlds import Failed, World
from toolchain.build import cache_folder
from toolchain.find import find

MEBIBYTES = 50
_FUNCTIONS = 400
_UNIT = """
struct s@ { int a@; char name@[@ % 7 + 1]; struct s@ *next; long long value@; };
static inline int in@(struct s@ *s, int x)
{
    int y = x * 3;
    s->a@ += y;
    s->value@ ^= x;
    return s->next ? s->a@ + x : y;
}
int f@(struct s@ *s, int n)
{
    int t = 0;
    for (int i = 0; i < n; i++) {
        t += in@(s, i);
        if (t > @)
            s = s->next;
    }
    return t + in@(s, n);
}
"""
_MAIN = """
volatile char page[8192];
int main(void)
{
    page[4096] = 1;
    return 0;
}
"""


class DebugInfo(Work):
    """From the start of ``emu trace`` to the first fault that it reports, and to a source line."""

    def measure(self, world: World, size: Size, policy: str | None) -> Mapping[str, float]:
        program = large_program(1 if size is Size.TINY else MEBIBYTES)
        taken = _times(world, program)
        name = f"trace, {MEBIBYTES} MiB of debug information"
        return {f"{name}, first fault": taken[0], f"{name}, first line": taken[1]}


def large_program(mebibytes: int) -> Path:
    """A short program of at least this size in MiB, most of it DWARF."""
    text = "".join(_UNIT.replace("@", str(number)) for number in range(_FUNCTIONS))
    digest = hashlib.sha256(f"{find().version}{text}{_MAIN}{mebibytes}".encode()).hexdigest()[:24]
    program = cache_folder() / "large" / digest / "large"
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=program.parent) as folder:
            _link(Path(folder), text, mebibytes).replace(program)
    return program


def _link(folder: Path, text: str, mebibytes: int) -> Path:
    """Links copies of one compiled unit, each with its own names of functions."""
    gcc, large = os.fspath(find().gcc), folder / "large"
    for name, content in (("unit", text), ("main", _MAIN)):
        (folder / f"{name}.c").write_text(content)
        _do(folder, gcc, "-O1", "-g3", "-c", f"{name}.c")

    def size_with(*objects: str) -> int:
        _do(folder, gcc, "-static", "-o", large.name, "main.o", *objects)
        return large.stat().st_size

    def copy(number: int) -> str:
        prefix = f"--prefix-symbols=u{number}_"
        _do(folder, f"{find().prefix}objcopy", prefix, "unit.o", f"copy{number}.o")
        return f"copy{number}.o"

    copies = [copy(0), copy(1)]
    each = size_with(*copies) - size_with(copies[0])
    size_with(*map(copy, range((mebibytes << 20) // each + 1)))
    return large


def _do(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True)


def _times(world: World, program: Path) -> tuple[float, float]:
    before = world.runner.index("run")
    command = [*world.runner[:before], "trace", str(program)]
    first = 0.0
    began = perf_counter_ns()
    with subprocess.Popen(
        command, env=world.environment(), stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        for line in process.stderr:
            first = first or perf_counter_ns() - began
            if re.search(r"main\.c:\d", line):
                taken = perf_counter_ns() - began
                process.stderr.read()
                return first, taken
    raise Failed("no source line in the trace")
