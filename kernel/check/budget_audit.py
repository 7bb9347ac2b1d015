"""Compares the budget's charges with the objects that exist (``emu run --check``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kernel.base.budget import Cost, Kind
from kernel.check.violation import Broken, Violation

if TYPE_CHECKING:
    from kernel.process.state import KernelState

_OF_FILES = (Kind.NODE, Kind.NAME)
"""Kinds of objects that live as long as the file tree."""


def violations(kernel: KernelState) -> list[Violation]:
    """Returns a violation for each kind whose charges differ from the existing objects."""
    return [
        Violation(
            "charges-are-what-is-there",
            Broken(f"{kind} are charged {kernel.budget.held.get(kind, 0)} bytes, not {there}"),
        )
        for kind, there in _counted(kernel)
        if kernel.budget.held.get(kind, 0) != there
    ]


def _counted(kernel: KernelState) -> Iterator[tuple[Kind, int]]:
    """Expected bytes of each kind that can be counted."""
    living = [process for process in kernel.processes.values() if process.alive]
    more_threads = sum(len(process.threads) - 1 for process in living if process.threads)
    tables = {id(process.files): process.files for process in living}.values()
    spaces = {id(process.space): process.space for process in living}.values()
    yield Kind.PROCESS, Cost.PROCESS * len(kernel.processes)
    yield Kind.THREAD, Cost.THREAD * more_threads
    yield Kind.DESCRIPTORS, Cost.DESCRIPTOR * sum(table.end for table in tables)
    yield Kind.MAPPING, sum(vma.cost for space in spaces for vma in space.vmas)
    yield Kind.TIMER, Cost.TIMER * sum(n >= 0 for process in living for n in process.timers)


def left_over(kernel: KernelState) -> list[Violation]:
    """Returns a violation for each charge left at the end, except for files with a name."""
    return [
        Violation("nothing-is-left", Broken(f"{kind} are charged {count} bytes"))
        for kind, count in kernel.budget.held.items()
        if count and kind not in _OF_FILES
    ]
