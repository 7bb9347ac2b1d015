"""Sharers of a frame, and memory usage of processes (RSS, PSS, USS), from the page tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from emu.machine.pte import HUGE_FRAMES, PAGE_SHIFT, PPN_MASK, PPN_SHIFT, V, ppn
from emu.observe.record.address_space_pids import AddressSpacePids
from kernel.base.lazy_numpy import Indices, Marks, np
from kernel.mm.address_space import AddressSpace
from kernel.mm.mappings.vma import USER_END
from kernel.mm.physical.frames import Frames, Kind
from kernel.process.process import Process

MOST_SHARERS = 16
"""Maximum number of sharers in a record; the frame's count has their true number."""


def sharers(
    processes: Collection[Process],
    pids: AddressSpacePids,
    space: AddressSpace,
    page: int,
    frame: int,
    users: int,
) -> list[tuple[int, int]]:
    """Returns the (pid, address) of pages in other address spaces that map ``frame``.

    ``page`` maps it in ``space``; ``users`` is the number of PTEs that map it, including that one.
    After a fork a frame has the same address in all processes that share it, so that address is
    searched first. All tables are searched only if PTEs are missing, after an mremap(2).
    """
    in_all = pids.page_in_all(page)
    if in_all is not None:
        maps = ((in_all.ptes & V) != 0) & ((in_all.ptes >> PPN_SHIFT) & PPN_MASK == frame)
        if len(set(in_all.addresses[maps].tolist())) >= users - 1:
            first = [pids.at(slot) for slot in in_all.slots[maps][: MOST_SHARERS + 1].tolist()]
            named = sorted((pids[other], page) for other in first if other is not space)
            return named[:MOST_SHARERS]
    found: list[tuple[int, int]] = []
    visited: set[AddressSpace] = set()
    entries: set[int | None] = set()
    for process in processes:
        other = process.space
        if other is space or not process.alive:
            continue
        pte = other.table.pte(page)
        if pte & V and ppn(pte) == frame and other not in visited:
            visited.add(other)
            found.append((process.pid, page))
            entries.add(other.table.pte_address(page))
    if len(entries) < users - 1:
        others: dict[AddressSpace, int] = {}
        for process in processes:
            if process.alive and process.space is not space:
                others.setdefault(process.space, process.pid)
        found = [(pid, va) for other, pid in others.items() for va in _addresses_of(other, frame)]
    return found[:MOST_SHARERS]


def _addresses_of(space: AddressSpace, frame: int) -> Iterator[int]:
    for start, ptes in space.table.contents(0, USER_END):
        maps = ((ptes & V) != 0) & ((ptes >> PPN_SHIFT) & PPN_MASK == frame)
        for index in np.flatnonzero(maps).tolist():
            yield start + (index << PAGE_SHIFT)


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """Pages of a process as in /proc/PID/smaps, without zeroes and MAP_HUGETLB: RSS,
    PSS and USS.

    ``proportional`` counts each page divided by the number of pages that map its frame.
    """

    resident: int = 0
    proportional: float = 0.0
    unique: int = 0

    def __add__(self, other: MemoryUse) -> MemoryUse:
        return MemoryUse(
            self.resident + other.resident,
            self.proportional + other.proportional,
            self.unique + other.unique,
        )


def memory_use(spaces: list[AddressSpace]) -> list[MemoryUse]:
    """Returns the usage of each of ``spaces``, which must be all address spaces of the machine.

    The users of a page in a shared leaf table are all page tables that contain the leaf table.
    """
    if not spaces:
        return []
    frames = spaces[0].frames
    leaves = [list(space.table.leaf_tables().values()) for space in spaces]
    tables = sorted({table for of_space in leaves for table in of_space})
    rows = np.array(tables, np.int64) - frames.first
    entries = frames.tables[rows]
    row_of, _ = mapped = np.nonzero(entries & V)
    times = Counter(table for of_space in leaves for table in of_space)
    indices = frames.indices(entries[mapped])
    weights = np.array([times[table] for table in tables], np.int64)[row_of]
    huge = [_huge_frames(space) for space in spaces]
    huge_rows = np.repeat(np.arange(len(spaces)) + len(tables), [len(each) for each in huge])
    row_of = np.concatenate([row_of, huge_rows])
    indices = np.concatenate([indices, *huge])
    weights = np.concatenate([weights, np.ones(len(huge_rows), weights.dtype)])
    real = _counts(frames, indices)
    row_of, indices, weights = row_of[real], indices[real], weights[real]
    users = np.bincount(indices, weights)[indices]
    count = len(tables) + len(spaces)
    resident = np.bincount(row_of, minlength=count)
    proportional = np.bincount(row_of, 1 / users, count)
    unique = np.bincount(row_of, users == 1, count)
    of_row = [
        MemoryUse(int(resident[row]), float(proportional[row]), int(unique[row]))
        for row in range(count)
    ]
    of_table = dict(zip(tables, of_row, strict=False))
    return [
        sum((of_table[table] for table in of_space), of_row[len(tables) + number])
        for number, of_space in enumerate(leaves)
    ]


def _counts(frames: Frames, indices: Indices) -> Marks:
    """Marks the frames that count: not those of zeroes, nor those of the pool for MAP_HUGETLB."""
    kinds = frames.kinds[indices]
    counts: Marks = (kinds == int(Kind.PRIVATE)) | (kinds == int(Kind.CACHE))
    return counts


def _huge_frames(space: AddressSpace) -> Indices:
    """The frames of its huge pages, by index."""
    runs = [ppn(pte) - space.frames.first for _, pte in space.table.huge_pages(0, USER_END)]
    frames: Indices = np.add.outer(np.array(runs, np.int64), np.arange(HUGE_FRAMES)).ravel()
    return frames


def memory_use_from_counts(space: AddressSpace) -> MemoryUse:
    """Returns the usage of one space from the frames' reference counts, without reading others.

    The page cache holds one reference to each page of a file or of shared memory. A leaf table that
    ``space`` shares counts with all its users. A PTE in a leaf table that only others share counts
    as one user, so ``proportional`` may then be too large.
    """
    frames = space.frames
    rows = np.array(list(space.table.leaf_tables().values()), np.int64) - frames.first
    entries = frames.tables[rows]
    mapped = np.nonzero((entries & V) != 0)
    indices = frames.indices(entries[mapped])
    others = np.array(space.table.leaf_users(), np.int64)[mapped[0]] - 1
    huge = _huge_frames(space)
    indices = np.concatenate([indices, huge])
    others = np.concatenate([others, np.zeros(len(huge), others.dtype)])
    real = _counts(frames, indices)
    indices, others = indices[real], others[real]
    users = frames.counts[indices] - (frames.kinds[indices] == int(Kind.CACHE)) + others
    return MemoryUse(len(indices), float((1 / users).sum()), int(np.count_nonzero(users == 1)))
