"""Clearing the PTEs of a range and releasing their frames."""

from __future__ import annotations

from collections.abc import Callable

from emu.machine.pte import HUGE_FRAMES, V, ppn
from kernel.base.lazy_numpy import np
from kernel.mm.page_tables.page_table import PageTable
from kernel.mm.physical.frames import Frames

_Step = Callable[[], None]


def clear_range(
    table: PageTable, frames: Frames, start: int, end: int, before: _Step, after: _Step
) -> int:
    """Clears the PTEs of [start, end); returns their number without those of the zero frame.

    If there are any, ``before`` is called first, and ``after`` before a frame is released.
    """
    resident = clear_huge_pages(table, frames, start, end, before, after) if table.huge else 0
    zeros = frames.count(frames.zero)
    clear = _clear_few if table.is_short(start, end) else _clear_many
    cleared = clear(table, frames, start, end, before, after)
    return resident + cleared - (zeros - frames.count(frames.zero))


def clear_huge_pages(
    table: PageTable, frames: Frames, start: int, end: int, before: _Step, after: _Step
) -> int:
    """Removes the huge pages within [start, end), after a split of those that are partly in it;
    as :func:`clear_range`.
    """
    table.split_edges(start, end)
    huge = table.huge_pages(start, end)
    if not huge:
        return 0
    before()
    resident = len(table.resident_huge(start, end))
    for va, _ in huge:
        table.unlink_huge(va)
    after()
    for _, pte in huge:
        frames.release_run(ppn(pte))
    return resident * HUGE_FRAMES


def _clear_few(
    table: PageTable, frames: Frames, start: int, end: int, before: _Step, after: _Step
) -> int:
    pages = table.pages(start, end)
    if pages:
        before()
        for va, _ in pages:
            table.clear(va)
        after()
        frames.release_each(ppn(pte) for _, pte in pages)
    return len(pages)


def _clear_many(
    table: PageTable, frames: Frames, start: int, end: int, before: _Step, after: _Step
) -> int:
    slices = [ptes for _, ptes in table.slices(start, end)]
    if not slices:
        return 0
    before()
    cleared = np.concatenate([ptes[(ptes & V) != 0] for ptes in slices])
    for ptes in slices:
        ptes[:] = 0
    after()
    frames.release_all(cleared)
    return len(cleared)
