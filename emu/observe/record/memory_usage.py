"""Memory usage of processes (RSS, PSS, USS), from the page tables."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from emu.machine.pte import HUGE_FRAMES, V, ppn
from emu.machine.ram import reserve
from emu.observe.record import usage_loops
from kernel.base.lazy_numpy import Indices, Marks, np
from kernel.mm.address_space import AddressSpace
from kernel.mm.mappings.vma import USER_END
from kernel.mm.physical import pte_loops
from kernel.mm.physical.frames import Frames, Kind


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
    leaves = [list(space.table.leaf_tables().values()) for space in spaces]
    tables = sum(map(len, leaves))
    if pte_loops.in_loops(tables) and not any(_huge_pages(space) for space in spaces):
        return _use_by_loops(spaces[0].frames, leaves)
    return _use_by_numpy(spaces, leaves)


def _use_by_loops(frames: Frames, leaves: list[list[int]]) -> list[MemoryUse]:
    words, (_, kinds), base = frames.ram.words, frames.columns, frames.first
    users = memoryview(reserve(4 * frames.total, "counts of users")).cast("i")
    tables = [[frames.word(table) for table in of_space] for of_space in leaves]
    for of_space in tables:
        usage_loops.add_users(words, of_space, kinds, users, base)
    return [
        MemoryUse(*usage_loops.usage_of_tables(words, of_space, kinds, users, base))
        for of_space in tables
    ]


def _use_by_numpy(spaces: list[AddressSpace], leaves: list[list[int]]) -> list[MemoryUse]:
    frames = spaces[0].frames
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


def _huge_pages(space: AddressSpace) -> list[tuple[int, int]]:
    return space.table.huge_pages(0, USER_END)


def _huge_frames(space: AddressSpace) -> Indices:
    """The frames of its huge pages, by index."""
    runs = [ppn(pte) - space.frames.first for _, pte in _huge_pages(space)]
    frames: Indices = np.add.outer(np.array(runs, np.int64), np.arange(HUGE_FRAMES)).ravel()
    return frames


def memory_use_from_counts(space: AddressSpace) -> MemoryUse:
    """Returns the usage of one space from the frames' reference counts, without reading others.

    The page cache holds one reference to each page of a file or of shared memory. A leaf table that
    ``space`` shares counts with all its users. A PTE in a leaf table that only others share counts
    as one user, so ``proportional`` may then be too large.
    """
    if pte_loops.in_loops(len(space.table.leaf_tables())) and not _huge_pages(space):
        return _use_of_counts_by_loops(space)
    return _use_of_counts_by_numpy(space)


def _use_of_counts_by_loops(space: AddressSpace) -> MemoryUse:
    frames, table = space.frames, space.table
    words, (counts, kinds), base = frames.ram.words, frames.columns, frames.first
    use = MemoryUse()
    for leaf, users in zip(table.leaf_tables().values(), table.leaf_users(), strict=True):
        first = frames.word(leaf)
        of_leaf = usage_loops.usage_from_counts(words, first, users - 1, kinds, counts, base)
        use += MemoryUse(*of_leaf)
    return use


def _use_of_counts_by_numpy(space: AddressSpace) -> MemoryUse:
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
