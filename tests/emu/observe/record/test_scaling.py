"""Does the work of an analysis grow in proportion to its trace, for any relation of processes?"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from emu.observe.analysis.cow_collector import profile
from emu.observe.analysis.cow_text import cow_text
from emu.observe.analysis.page_history import PageHistory
from emu.observe.analysis.page_history_text import page_history_json, page_history_text
from emu.observe.model import records
from emu.observe.model.records import AnyRecord, Range, Sharer
from emu.observe.report.page import page
from tests.emu.observe.report.traces import HEAP, SyntheticRun, built

SMALL = 60


def lines_run(act: Callable[[], object]) -> int:
    """Number of lines of Python that ``act`` executes: the same on every machine."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(before)
    return count


def started_run(pages: int = 4) -> tuple[SyntheticRun, int]:
    run = SyntheticRun()
    run.exec(2, pages)
    return run, run.fault(2, 0, "zero_filled")


def chain(size: int) -> list[AnyRecord]:
    """Each process forks the next, which copies the page; finally all end."""
    run, frame = started_run()
    for parent in range(2, 2 + size):
        run.fork(parent, parent + 1, 4)
        frame = run.fault(parent + 1, 0, "copied", frame)
        fault = run.trace[-1]
        assert isinstance(fault, records.Fault)
        fault.sharers = [Sharer(parent, HEAP)]
    for pid in range(2 + size, 1, -1):
        run.exit(pid)
    return run.end()


def far_sharer(size: int) -> list[AnyRecord]:
    """The first process copies pages that it shares with the last process of a chain."""
    run, frame = started_run()
    for parent in range(2, 2 + size):
        run.fork(parent, parent + 1, 4)
    for _ in range(size):
        run.fault(2, 0, "copied", frame)
        fault = run.trace[-1]
        assert isinstance(fault, records.Fault)
        fault.sharers = [Sharer(2 + size, HEAP)]
    return run.end()


def star(size: int) -> list[AnyRecord]:
    """One process has many children at the same time, each with its own memory."""
    run, frame = started_run()
    for child in range(3, 3 + size):
        run.fork(2, child, 4)
        run.fault(child, 0, "copied", frame)
        run.sample(child, 4)
    for pid in range(2, 3 + size):
        run.exit(pid)
    return run.end()


def borrowers(size: int) -> list[AnyRecord]:
    run, _ = started_run()
    for child in range(3, 3 + size):
        run.fork(2, child, 0, shares_memory=True)
    for pid in range(3 + size - 1, 1, -1):
        run.exit(pid)
    return run.end()


def images(size: int) -> list[AnyRecord]:
    """One child at a time, which executes another program."""
    run, _ = started_run()
    for child in range(3, 3 + size):
        run.fork(2, child, 4)
        run.exec(child, 4, f"/made/p{child}")
        run.fault(child, 0, "zero_filled")
        run.sample(child, 4)
        run.exit(child)
    return run.end()


def dont_fork(size: int) -> list[AnyRecord]:
    """Forks after MADV_DONTFORK of many pages, to which the parent then stores."""
    run, frame = started_run(size)
    left_out = [Range(HEAP, HEAP + 4096 * size, "rw-p")]
    for child in range(3, 3 + size):
        run.fork(2, child, 4, left_out=left_out)
        run.exit(child)
    for number in range(size):
        run.fault(2, number, "reused", frame)
    return run.end()


def moved(size: int) -> list[AnyRecord]:
    """Many pages, and moves of another range."""
    run, _ = started_run(size)
    for number in range(1, size):
        run.fault(2, number, "zero_filled")
    away = HEAP + (1 << 36)
    for _ in range(size):
        run.append(records.Move, pid=2, start=away, end=away + 4096, to=away)
    return run.end()


def mappings(size: int) -> list[AnyRecord]:
    run, _ = started_run()
    for number in range(size):
        start = HEAP + (number << 14)
        run.append(records.Map, pid=2, range=Range(start, start + 4096, "rw-p", f"/f{number}"))
        run.fork(2, 3 + number, 4)
        run.exit(3 + number)
    return run.end()


def cow(trace: list[AnyRecord]) -> None:
    found = profile(trace)
    cow_text(found, 1 << 20)
    found.json()


def why(trace: list[AnyRecord]) -> None:
    history = PageHistory(HEAP)
    for record in trace:
        history(record)
    page_history_text(history, "", None, None)
    page_history_json(history, "")
    forks = [record for record in trace if isinstance(record, records.Fork)]
    youngest = max((fork.child for fork in forks), default=2)
    page_history_text(history, "", youngest, None)
    page_history_json(history, "", youngest)


def report(trace: list[AnyRecord]) -> None:
    for _ in page(built(trace).data()):
        pass


@pytest.mark.parametrize("analysis", [cow, why, report])
@pytest.mark.parametrize(
    "make", [chain, far_sharer, star, borrowers, images, dont_fork, moved, mappings]
)
def test_do_four_times_the_records_take_about_four_times_the_work(
    make: Callable[[int], list[AnyRecord]], analysis: Callable[[list[AnyRecord]], None]
) -> None:
    small, large = make(SMALL), make(4 * SMALL)
    assert len(large) > 3.5 * len(small)
    analysis(small)  # initialise caches
    assert lines_run(lambda: analysis(large)) < 5 * lines_run(lambda: analysis(small))
