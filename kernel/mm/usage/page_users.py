"""Number of PTEs that map a frame, in all page tables (Linux's mapcount)."""

from __future__ import annotations

from emu.machine.pte import V
from kernel.base.lazy_numpy import Indices, Ptes, np
from kernel.mm.physical.frames import Frames, Kind

_CACHE, _TABLE, _HUGETLB = int(Kind.CACHE), int(Kind.TABLE), int(Kind.HUGETLB)


class PageUsers:
    """The users of all frames at one moment.

    The frame's count decides: each PTE has a reference, and a backing, or the pool, has one for its
    pin. A page in a shared leaf table has one user more for each further user of the table, and a
    leaf table one for each further user of a shared middle table.
    """

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        touched = frames.touched
        tables = np.flatnonzero(frames.kinds[:touched] == _TABLE)
        users = frames.counts[tables].astype(np.int64)
        self._further: Indices | None = None
        if (users > 1).any():  # first what middle tables add to leaf tables, then these to pages
            users += _count_further(frames, tables, users)[tables]
            self._further = _count_further(frames, tables, users)

    def of(self, ptes: Ptes) -> Indices:
        """The number of users of each PTE's frame."""
        indices = self._frames.indices(ptes)
        kinds = self._frames.kinds[indices]
        pinned = (kinds == _CACHE) | (kinds == _HUGETLB)
        counts: Indices = self._frames.counts[indices].astype(np.int64) - pinned
        if self._further is not None:
            counts += self._further[indices]
        return counts


def _count_further(frames: Frames, tables: Indices, users: Indices) -> Indices:
    """Users of each frame beyond the first of each table, which has ``users``."""
    shared = users > 1
    entries = frames.tables[tables[shared]]
    row, column = np.nonzero((entries & V) != 0)
    weights = users[shared][row] - 1
    further = np.bincount(frames.indices(entries[row, column]), weights, frames.touched)
    counts: Indices = further.astype(np.int64)
    return counts
