"""Do the programs that read /proc show what the kernel counts?"""

from __future__ import annotations

import re

import pytest

from tests.guest.running import ROOTS, missing, run_emu

pytestmark = pytest.mark.root

ROOT = ROOTS / "procps"


def output(name: str, *arguments: str, options: tuple[str, ...] = ()) -> str:
    if not (ROOT / "usr/bin" / name).exists():
        missing(f"{name} in .root/procps (make roots)")
    options = ("--root", str(ROOT), *options)
    run = run_emu(f"/usr/bin/{name}", *arguments, options=options, env={"TERM": "xterm"})
    assert run.status == 0, run.errors
    return run.output + run.errors


def test_ps_shows_size_and_faults() -> None:
    resident, size, faults, command = output("ps", "-o", "rss=,vsz=,min_flt=,comm=", "2").split()
    assert 1000 < int(resident) < int(size) < 100_000, "kB of a program with the C library"
    assert 100 < int(faults) < 1000
    assert command == "ps"


def test_pmap_shows_mappings_whose_sum_is_its_total() -> None:
    lines = output("pmap", "-x", "2").splitlines()
    rows = [line.split()[1:4] for line in lines if re.match(r"[0-9a-f]{16} ", line)]
    total = next(line.split()[2:5] for line in lines if line.startswith("total"))
    sums = [sum(int(row[column]) for row in rows) for column in range(3)]
    assert [int(number) for number in total] == sums
    assert any(line.endswith("[ stack ]") for line in lines)


def test_free_shows_the_memory_of_the_machine() -> None:
    row = re.search(r"Mem: +(\d+) +(\d+) +(\d+)", output("free", options=("--mem", "64M")))
    assert row is not None
    total, used, free = map(int, row.groups())
    assert total == 64 << 10
    assert 0 < used < total - free + 1


def test_top_lists_itself_as_running() -> None:
    text = output("top", "-b", "-n1")
    assert "Tasks: 1 total, 1 running" in " ".join(text.split()).replace(",   ", ", ")
    row = re.search(r"^ +2 +\S+ +20 +0 +(\d+) +(\d+) +(\d+) R .* top$", text, re.MULTILINE)
    assert row is not None, text
    size, resident, shared = map(int, row.groups())
    assert size > resident > shared > 0


def test_time_shows_the_peak_and_the_faults_of_its_child() -> None:
    text = output("time", "-f", "peak %M faults %R status %x", "/usr/bin/free")
    row = re.search(r"peak (\d+) faults (\d+) status 0", text)
    assert row is not None, text
    peak, faults = map(int, row.groups())
    assert 1000 < peak < 100_000 and 50 < faults < 1000


def test_vmstat_runs() -> None:
    assert output("vmstat").splitlines()[0].startswith("procs ---")
