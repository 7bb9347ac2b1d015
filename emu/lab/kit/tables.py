"""Page-table walks for the labs that follow the lab ``walk``."""

from __future__ import annotations

from collections.abc import Iterator

from emu.lab.kit.frames import Frames
from emu.lab.kit.memory import Memory
from emu.machine.pte import LEVELS, PAGE_SHIFT, PTE_SIZE, V, is_leaf, make_pte, ppn, vpn


def leaf_entry(memory: Memory, root: int, address: int) -> int | None:
    """Returns the physical address of the PTE for the page of ``address``; None if a table is
    missing.

    ``root`` is the frame of the root table. The PTE may be a superpage's, and may be invalid.
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
    """Returns the same as :func:`leaf_entry`, after adding missing tables.

    Raises :class:`OutOfFrames`; tables that were added before remain linked.
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
    """Yields (virtual address, physical address of the PTE, PTE) of each mapped page."""
    for i, top in enumerate(memory.table(root)):
        if not top & V:
            continue
        for j, middle in enumerate(memory.table(ppn(top))):
            if not middle & V:
                continue
            for k, pte in enumerate(memory.table(ppn(middle))):
                if pte & V:
                    yield i << 30 | j << 21 | k << 12, (ppn(middle) << PAGE_SHIFT) + 8 * k, pte
