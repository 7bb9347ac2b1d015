"""Who else has a frame, and how much memory a process has: looks at the page tables as they are."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from emu.machine.pte import PAGE_SHIFT, PPN_MASK, PPN_SHIFT, V, ppn
from emu.observe.record.address_space_pids import AddressSpacePids
from kernel.base.lazy_numpy import np
from kernel.mm.address_space import USER_END, AddressSpace
from kernel.mm.frames import Kind
from kernel.process.process import Process

MOST_SHARERS = 16
"""So many others are named at the most; the frame's count tells how many there are."""


def sharers(
    processes: Collection[Process],
    pids: AddressSpacePids,
    space: AddressSpace,
    page: int,
    frame: int,
    users: int,
) -> list[tuple[int, int]]:
    """(pid, address) of pages of other address spaces that map ``frame``, which ``page`` mapped.

    After a fork a frame lies at the same address in all who share it, so that is where it is looked
    for first; only a page that was moved costs a look at all tables. That there is one is seen by
    how many PTEs map the frame, ``users`` with that of ``page``.
    """
    there = pids.page_in_all(page)
    if there is not None:
        has = ((there.ptes & V) != 0) & ((there.ptes >> PPN_SHIFT) & PPN_MASK == frame)
        if len(np.unique(there.addresses[has])) >= users - 1:
            first = [pids.at(slot) for slot in there.slots[has][: MOST_SHARERS + 1].tolist()]
            named = sorted((pids[other], page) for other in first if other is not space)
            return named[:MOST_SHARERS]
    found: list[tuple[int, int]] = []
    seen: set[AddressSpace] = set()
    entries: set[int | None] = set()
    for process in processes:
        other = process.space
        if other is space or not process.alive:
            continue
        pte = other.table.pte(page)
        if pte & V and ppn(pte) == frame and other not in seen:
            seen.add(other)
            found.append((process.pid, page))
            entries.add(other.table.pte_address(page))
    if len(entries) < users - 1:
        others: dict[AddressSpace, int] = {}
        for process in processes:
            if process.alive and process.space is not space:
                others.setdefault(process.space, process.pid)
        found = [(pid, va) for other, pid in others.items() for va in _places(other, frame)]
    return found[:MOST_SHARERS]


def _places(space: AddressSpace, frame: int) -> Iterator[int]:
    for start, ptes in space.table.slices(0, USER_END):
        here = ((ptes & V) != 0) & ((ptes >> PPN_SHIFT) & PPN_MASK == frame)
        for index in np.flatnonzero(here).tolist():
            yield start + (index << PAGE_SHIFT)


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """Pages of a process, as in Linux's smaps; the zero page is nobody's.

    ``proportional`` counts each page divided by how many processes' pages map its frame.
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
    """How much memory each of ``spaces`` has, which must be all that there are.

    A page in a leaf table that hangs in several page tables has all of these as users.
    """
    if not spaces:
        return []
    frames = spaces[0].frames
    leaves = [list(space.table.leaf_tables().values()) for space in spaces]
    tables = sorted({table for of_space in leaves for table in of_space})
    rows = np.array(tables, np.int64) - frames.first
    entries = frames.tables[rows]
    entries[(entries & V) == 0] = 0
    entries[((entries >> PPN_SHIFT) & PPN_MASK) == frames.zero] = 0
    row_of, _ = mapped = np.nonzero(entries)
    indices = frames.indices(entries[mapped])
    weights = frames.counts[rows][row_of]
    users = np.bincount(indices, weights)[indices]
    resident = np.bincount(row_of, minlength=len(tables))
    proportional = np.bincount(row_of, 1 / users, len(tables))
    unique = np.bincount(row_of, users == 1, len(tables))
    of_table = {
        table: MemoryUse(int(resident[row]), float(proportional[row]), int(unique[row]))
        for row, table in enumerate(tables)
    }
    return [sum((of_table[table] for table in of_space), MemoryUse()) for of_space in leaves]


def memory_use_alone(space: AddressSpace) -> MemoryUse:
    """The same of one space, without a look at others: counts tell of users.

    The kernel itself holds each page of a file or of shared memory once. Where the space shares a
    leaf table that has all its users; another's PTE of the same frame counts as one user, also if
    it is in a table that several others share, so ``proportional`` may be too large then.
    """
    frames = space.frames
    rows = np.array(list(space.table.leaf_tables().values()), np.int64) - frames.first
    entries = frames.tables[rows]
    mapped = np.nonzero((entries & V) != 0)
    indices = frames.indices(entries[mapped])
    others = frames.counts[rows][mapped[0]] - 1
    real = indices != frames.zero - frames.first
    indices, others = indices[real], others[real]
    users = frames.counts[indices] - (frames.kinds[indices] == int(Kind.CACHE)) + others
    return MemoryUse(len(indices), float((1 / users).sum()), int(np.count_nonzero(users == 1)))
