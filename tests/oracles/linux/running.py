"""Runs a program that asks the system for its counts, on this host's Linux and under emu."""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from shutil import which

import pytest

from tests.guest.running import Run, missing, run_emu
from tests.oracles.linux.differences import System
from tests.oracles.linux.sources import FLAGS, build_for_guest, emu_options, kernel_options, source

OLDEST, NEWEST = (6, 1), (6, 99)
"""Older kernels have other fields, and count some faults otherwise; so does Linux 7 (a child's
Referenced in smaps), which the table of differences does not describe yet."""
SECONDS = 60
_MOST_RUNS = 5
_HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_UNCHECKED = frozenset({"many_mappings", "peaks"})
"""Programs with tens of thousands of mappings or of faults, each of which would be checked."""


def this_host() -> System:
    return System(platform.release(), platform.machine())


@cache
def needs_linux() -> None:
    """Skips a test without a compiler for this host, or on a Linux older than OLDEST."""
    if which("gcc") is None:
        missing("gcc for this host")
    if platform.system() != "Linux" or this_host().version < OLDEST:
        missing(f"Linux {OLDEST[0]}.{OLDEST[1]} or newer")
    if this_host().version > NEWEST:
        pytest.skip(f"Linux {NEWEST[0]} (this one is newer, and not compared yet)")
    if os.sysconf("SC_PAGE_SIZE") != 4096:
        missing("a kernel with pages of 4 KiB")


def needs_settings(name: str) -> None:
    """Skips a test of a program with huge pages where this host's setting is another one, and of
    one that reads frame numbers without the privilege.
    """
    if "--expose-frames" in emu_options(source(name)) and os.geteuid():
        pytest.skip("frame numbers in /proc/PID/pagemap, which only root reads")
    if not _has_huge_pages(name):
        return
    modes = _HUGE_PAGES.read_text() if _HUGE_PAGES.exists() else "none"
    if "[madvise]" not in modes:
        pytest.skip(f"transparent huge pages by madvise (this host has: {modes.strip()})")


def _has_huge_pages(name: str) -> bool:
    return '#include "huge.h"' in source(name).read_text()


def by_linux(name: str) -> list[str]:
    """Output of the program on this host's kernel.

    With huge pages it is the one that two runs print during which the host had a free huge page
    each time: khugepaged can come between the steps of a run too. Skips the test where it had none.
    """
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / name
        subprocess.run(["gcc", "-static", *FLAGS, "-o", program, source(name)], check=True)
        if not _has_huge_pages(name):
            return _printed(program).splitlines()
        printed: list[str] = []
        for _ in range(_MOST_RUNS):
            before = _fallbacks()
            output = _printed(program)
            if _fallbacks() != before:
                continue
            if output in printed:
                break
            printed.append(output)
    if not printed:
        pytest.skip("free huge pages of this host")
    return output.splitlines()


def _fallbacks() -> list[str]:
    """Counters of the huge pages that the host's kernel could not allocate."""
    lines = Path("/proc/vmstat").read_text().splitlines()
    return [line for line in lines if "thp_fault_fallback" in line or "alloc_failed" in line]


def _printed(program: Path) -> str:
    done = subprocess.run(
        [program], capture_output=True, text=True, check=True, cwd=program.parent, timeout=SECONDS
    )
    return done.stdout


@cache
def by_emu(name: str) -> Run:
    """Output of the program under emu, with the pool of huge pages that it asks for."""
    required = kernel_options(source(name))
    pool = tuple(f"--{option.replace('hugepages=', 'hugetlb=')}" for option in required)
    options = (*pool, *emu_options(source(name)))
    return run_emu(build_for_guest(name), options=options, checked=name not in _UNCHECKED)
