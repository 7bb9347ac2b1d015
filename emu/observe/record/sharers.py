"""Sharers of a frame: the pages of other processes that map it."""

from __future__ import annotations

from emu.machine.pte import HUGE_FRAMES, PAGE_SHIFT, PPN_MASK, PPN_SHIFT, V, ppn
from emu.observe.model.fault_row import MAX_SHARERS
from emu.observe.record.address_space_pids import AddressSpacePids
from emu.observe.record.usage_loops import pages_of_frame
from kernel.mm.address_space import AddressSpace
from kernel.mm.mappings.vma import USER_END


def sharers(
    pids: AddressSpacePids, space: AddressSpace, page: int, frame: int, users: int
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
            first = [pids.at(slot) for slot in in_all.slots[maps][: MAX_SHARERS + 1].tolist()]
            named = sorted([(pids[other], page) for other in first if other is not space])
            return named[:MAX_SHARERS]
    found, entries = [], set()
    for other, pid in pids.items():
        pte = other.table.pte(page)
        if pte & V and ppn(pte) == frame and other is not space:
            found.append((pid, page))
            entries.add(other.table.pte_address(page))  # one for all that share the leaf table
    if len(entries) < users - 1:
        others = [(other, pid) for other, pid in pids.items() if other is not space]
        found = [(pid, va) for other, pid in others for va in _addresses_of(other, frame)]
    found.sort()
    return found[:MAX_SHARERS]


def _addresses_of(space: AddressSpace, frame: int) -> list[int]:
    """Addresses at which ``space`` maps ``frame``."""
    table, frames = space.table, space.frames
    found: list[int] = []
    for start, leaf in table.leaf_tables().items():
        indices = pages_of_frame(frames.ram.typed_words, frames.word(leaf), frame)
        found += [start + (index << PAGE_SHIFT) for index in indices]
    for start, pte in table.huge_pages(0, USER_END):
        index = frame - ppn(pte)
        if 0 <= index < HUGE_FRAMES:
            found.append(start + (index << PAGE_SHIFT))
    return sorted(found)
