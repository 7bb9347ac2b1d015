"""Finding one's way in a page table: given, for the labs after the walk."""

from __future__ import annotations

from collections.abc import Iterator

from emu.lab.kit.frames import Frames
from emu.lab.kit.memory import Memory
from emu.machine.pte import LEVELS, PAGE_SHIFT, PTE_SIZE, V, is_leaf, make_pte, ppn, vpn


def leaf_entry(memory: Memory, root: int, address: int) -> int | None:
    """The physical address of the PTE for the page of ``address``; None without a table for it.

    ``root`` is the frame of the root table. The PTE may be of a superpage, and need not be valid.
    """
    table = root
    for level in range(LEVELS - 1, 0, -1):
        entry = (table << PAGE_SHIFT) + PTE_SIZE * vpn(address, level)
        pte = memory.load(entry)
        if not pte & V:
            return None
        if is_leaf(pte):
            return entry
        table = ppn(pte)
    return (table << PAGE_SHIFT) + PTE_SIZE * vpn(address, 0)


def new_leaf_entry(memory: Memory, frames: Frames, root: int, address: int) -> int:
    """:func:`leaf_entry`, with tables where they are missing.

    Raises :class:`OutOfFrames`; the tables that were made before stay linked.
    """
    table = root
    for level in range(LEVELS - 1, 0, -1):
        entry = (table << PAGE_SHIFT) + PTE_SIZE * vpn(address, level)
        pte = memory.load(entry)
        if not pte & V:
            pte = make_pte(frames.allocate_table(), V)
            memory.store(entry, pte)
        table = ppn(pte)
    return (table << PAGE_SHIFT) + PTE_SIZE * vpn(address, 0)


def pages(memory: Memory, root: int) -> Iterator[tuple[int, int, int]]:
    """Each page that is mapped: (its virtual address, the PTE's physical address, the PTE)."""
    for i, top in enumerate(memory.table(root)):
        if not top & V:
            continue
        for j, middle in enumerate(memory.table(ppn(top))):
            if not middle & V:
                continue
            for k, pte in enumerate(memory.table(ppn(middle))):
                if pte & V:
                    yield i << 30 | j << 21 | k << 12, (ppn(middle) << PAGE_SHIFT) + 8 * k, pte
