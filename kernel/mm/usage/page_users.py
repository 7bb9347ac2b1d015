"""Number of PTEs that map a frame, in all page tables (Linux's mapcount)."""

from __future__ import annotations

from emu.machine.pte import PPN_MASK, PPN_SHIFT, R, V, W, X
from kernel.base.lazy_numpy import Indices, Ptes, np
from kernel.mm.frames import Frames, Kind

_CACHE, _TABLE = int(Kind.CACHE), int(Kind.TABLE)


class PageUsers:
    """The users of all frames at one moment.

    Without shared leaf tables a frame's count says it: each PTE has a reference, and a backing has
    one for its pin. A page in a shared leaf table has as many users as the table.
    """

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        touched = frames.touched
        tables = np.flatnonzero(frames.kinds[:touched] == _TABLE)
        self._users: Indices | None = None
        if (frames.counts[tables] > 1).any():
            self._users = _count_users(frames, tables)

    def of(self, ptes: Ptes) -> Indices:
        """The number of users of each PTE's frame."""
        indices = self._frames.indices(ptes)
        if self._users is not None:
            users: Indices = self._users[indices]
            return users
        pinned = self._frames.kinds[indices] == _CACHE
        counts: Indices = self._frames.counts[indices].astype(np.int64) - pinned
        return counts


def _count_users(frames: Frames, tables: Indices) -> Indices:
    entries = frames.tables[tables]
    row, column = np.nonzero(((entries & V) != 0) & ((entries & (R | W | X)) != 0))
    mapped = (entries[row, column] >> PPN_SHIFT) & PPN_MASK
    weights = frames.counts[tables][row]
    users = np.bincount(mapped.astype(np.int64) - frames.first, weights, frames.touched)
    counts: Indices = users.astype(np.int64)
    return counts
