"""Set-up of all tests: default signal handlers, and markers for a test's requirements."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest

from emu.compilation import finder

os.environ.setdefault("EMU_PURE", "1")  # patches of a compiled class would have no effect
finder.choose()

_DEFAULTS: dict[signal.Signals, Any] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGHUP: signal.SIG_DFL,
    signal.SIGQUIT: signal.SIG_DFL,
}
_SLOW = (
    *("bench", "guest", "hostile", "oracles", "wrong", "emu/cli"),
    *("emu/lab/graded", "emu/lab/grading", "emu/lab/labs", "emu/lab/mutants", "emu/lab/workspace"),
    *("emu/lab/test_ending_labs.py", "emu/lab/test_lab_commands.py"),
    *("emu/host/test_break_in.py", "emu/observe/dwarf/test_inlined_functions.py"),
    *("emu/observe/record/test_memory_usage.py", "emu/observe/record/test_recorder.py"),
    "emu/observe/report/test_damaged_traces.py",
    *("emu/observe/report/test_replay.py", "kernel/trap/test_fast_path.py"),
    *("kernel/mm/test_memory_pressure.py", "kernel/mm/test_model.py"),
)
"""Folders and files whose tests run many programs, or take more than about a second each."""


@pytest.fixture(autouse=True)
def signals_are_received() -> Iterator[None]:
    """Restores default handlers; under nohup or in the background, signals are ignored."""
    ignored = [number for number in _DEFAULTS if signal.getsignal(number) == signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, _DEFAULTS[number])
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Adds the markers that follow from a test's folder, fixtures and helpers."""
    for item in items:
        if _is_slow(item.path):
            item.add_marker("slow")
        if isinstance(item, pytest.Function):
            if "browser" in item.fixturenames:
                item.add_marker("browser")
            if isinstance(item.function, FunctionType) and _runs_qemu(item.function):
                item.add_marker("qemu")


def pytest_collection_finish() -> None:
    """Exempts the collected tests, which stay, from the garbage collector's searches."""
    gc.collect()
    gc.freeze()


@cache
def _is_slow(path: Path) -> bool:
    return any(path.is_relative_to(Path(__file__).parent / slow) for slow in _SLOW)


@cache
def _runs_qemu(function: FunctionType) -> bool:
    """True when ``function``, or a helper of the tests that it calls, runs qemu-riscv64."""
    if function.__name__ in ("qemu", "run_qemu"):
        return True
    helpers = (function.__globals__.get(name) for name in _names(function.__code__))
    return any(
        _runs_qemu(helper)
        for helper in helpers
        if isinstance(helper, FunctionType)
        and helper is not function
        and helper.__module__.startswith("tests.")
    )


def _names(code: CodeType) -> set[str]:
    nested = (each for each in code.co_consts if isinstance(each, CodeType))
    return set(code.co_names).union(*map(_names, nested))
