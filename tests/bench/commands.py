"""Work that is a whole command, timed from its start to its end."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter_ns

from tests.bench.debian import ROOTS
from tests.bench.program import parse
from tests.bench.work import Size, Work
from tests.bench.worlds import World, emu

BUSYBOX = ROOTS / "static" / "usr" / "bin" / "busybox"


def _timed(action: Callable[[], object]) -> float:
    start = perf_counter_ns()
    action()
    return perf_counter_ns() - start


class Hello(Work):
    """Start and end of a program that prints one line."""

    def measure(self, world: World, size: Size, policy: str | None) -> Mapping[str, float]:
        world.compiled("hello")
        times = 1 if size is Size.TINY else 3
        return {"run hello": median(_timed(lambda: world.run("hello")) for _ in range(times))}


class Subshells(Work):
    """A loop of subshells in busybox's shell; natively only where there is a busybox."""

    def measure(self, world: World, size: Size, policy: str | None) -> Mapping[str, float]:
        native = world.name == "native"
        busybox = shutil.which("busybox") if native else str(BUSYBOX)
        if busybox is None or not Path(busybox).exists():
            return {}
        count = 2 if size is Size.TINY else 200
        script = f"i=0; while [ $i -lt {count} ]; do ( : ); i=$((i+1)); done"
        taken = _timed(lambda: world.run_command(busybox, "sh", "-c", script))
        return {"200 busybox subshells": taken}


class TraceCost(Work):
    """Ratio of the time of a first touch with a trace of faults to a file to that without."""

    def measure(self, world: World, size: Size, policy: str | None) -> Mapping[str, float]:
        pages = {Size.FULL: 8192, Size.QUICK: 4096, Size.TINY: 8}[size]
        with tempfile.TemporaryDirectory() as folder:
            traced = emu(("--trace", "faults", "--trace-file", f"{folder}/trace"))
            with_trace, without = (
                parse(each.run("touch", str(pages), "1"))["touch"] for each in (traced, world)
            )
        return {"first touch with --trace faults": with_trace / without}


class TracedRuns(Work):
    """Ratio of the time of programs that fork often under ``emu trace`` to that under ``emu run``.

    The whole command is timed, its start and the writing of the file too.
    """

    def measure(self, world: World, size: Size, policy: str | None) -> Mapping[str, float]:
        ratios: dict[str, float] = {}
        for row, (root, words) in _forking(size).items():
            if not root.exists():
                continue
            plain = emu(("--root", str(root)))
            with tempfile.TemporaryDirectory() as folder:
                traced = emu(("--root", str(root), "-o", f"{folder}/trace.jsonl"), "trace")
                with_trace = _timed(partial(traced.run_command, *words))
                without_trace = _timed(partial(plain.run_command, *words))
            ratios[row] = with_trace / without_trace
        return ratios


def _forking(size: Size) -> dict[str, tuple[Path, tuple[str, ...]]]:
    times = {Size.FULL: 1000, Size.QUICK: 300, Size.TINY: 2}[size]
    loop = f"i=0; while [ $i -lt {times} ]; do (true); i=$((i+1)); done"
    dates = f"for i in {{1..{times // 10 + 1}}}; do x=$(date +%s | cut -c1-3); done"
    return {
        "emu trace, busybox subshells": (ROOTS / "static", ("/bin/busybox", "sh", "-c", loop)),
        "emu trace, bash pipelines": (ROOTS / "dynamic", ("/bin/bash", "-c", dates)),
    }


class InstructionRate(Work):
    """Million instructions a second that ``emu trace --insn`` writes to a file of text."""

    def measure(self, world: World, size: Size, policy: str | None) -> Mapping[str, float]:
        loops = {Size.FULL: 400_000, Size.QUICK: 100_000, Size.TINY: 10}[size]
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "trace.txt"
            traced = emu(("--insn=main", "-o", str(file)), "trace")
            taken = _timed(lambda: traced.run("integer", str(loops)))
            with file.open("rb") as lines:
                count = sum(1 for _ in lines)
        return {"emu trace --insn": count / taken * 1000}
