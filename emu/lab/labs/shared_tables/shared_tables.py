"""Lab 8, fork that shares page tables: a leaf table is copied at the first change to it.

A copy-on-write fork copies no page, but writes a PTE for each. This one shares the leaf tables too,
so that it costs a pointer for each 2 MiB (Zhao et al., "On-demand-fork", EuroSys '21)::

    parent   root ---> middle ---+
                                 +--> leaf table 0x80012, count 2 --> frame 0x80031, count 1
    child    root'---> middle'---+         0x11000  R--U-A-D C

A table's frame is counted like any other: one user for each pointer to it. A frame with pages has
one for each PTE, and a table that two processes share has each of its PTEs once.

Since a store through a shared table would mean both processes, no private page in one may have W.
Whoever is about to change a PTE in it makes the table his own first. ``own_table()`` is called for
that: before a page fault is handled, before munmap(2), mprotect(2) and the like. The TLB is flushed
for you after each of these functions.
"""

from __future__ import annotations

from emu.lab.kit import (
    COW,
    PAGE_SHIFT,
    PTE_SIZE,
    Frames,
    Memory,
    OutOfFrames,
    V,
    W,
    make_pte,
    ppn,
    vpn,
)


def take_w(memory: Memory, frames: Frames, table: int) -> None:
    """Makes the leaf table in frame ``table`` fit to be shared.

    Every private page in it that may be stored to loses W and gets ``COW`` instead. All other
    PTEs stay, and are not written: read-only pages, and memory that is shared on purpose (``not
    frames.is_private(frame)``), which keeps W.
    """
    # BEGIN SOLUTION
    for index, pte in enumerate(memory.table(table)):
        if pte & V and pte & W and frames.is_private(ppn(pte)):
            memory.store((table << PAGE_SHIFT) + PTE_SIZE * index, pte & ~W | COW)
    # END SOLUTION


def share_tables(memory: Memory, frames: Frames, parent: int) -> int:
    """fork(2): makes a page table for the child, with the parent's leaf tables in it.

    ``parent`` is the frame of the parent's root table; returned is that of the child's. The child
    has a root and middle tables of its own. Each leaf table of the parent has one user more, and no
    frame in it has; a page loses W when its table is shared for the first time (``take_w``), and
    the PTEs of one that is shared already are not written again. Raises ``OutOfFrames`` when there
    is no frame for a table: then all tables of the child are given back and every count is as it
    was (pages may have lost W; that is repaired by the next store).
    """
    # BEGIN SOLUTION
    child = frames.allocate_table()
    try:
        for index, top in enumerate(memory.table(parent)):
            if top & V:
                middle = frames.allocate_table()
                memory.store((child << PAGE_SHIFT) + PTE_SIZE * index, make_pte(middle, V))
                share_leaves(memory, frames, ppn(top), middle)
    except OutOfFrames:
        release_tables(memory, frames, child)
        raise
    return child
    # END SOLUTION


# BEGIN SOLUTION
def share_leaves(memory: Memory, frames: Frames, parent: int, child: int) -> None:
    """Hangs the leaf tables of one middle table into another."""
    for index, pointer in enumerate(memory.table(parent)):
        if pointer & V:
            if frames.count(ppn(pointer)) == 1:
                take_w(memory, frames, ppn(pointer))
            memory.store((child << PAGE_SHIFT) + PTE_SIZE * index, pointer)
            frames.share(ppn(pointer))


# END SOLUTION


def own_table(memory: Memory, frames: Frames, root: int, address: int) -> bool:
    """A PTE is about to be changed: makes the leaf table for ``address`` this process's own.

    ``root`` is the frame of its root table. When the leaf table has other users, the process gets a
    copy of it (``memory.copy_frame`` copies a table at once), which hangs in its page table from
    now on: the old one has one user less, and each frame with a page in it one user more. The
    others' page tables stay as they are. The PTEs keep their flags.

    Returns whether the table was copied: False when nobody else uses it, or there is none. Raises
    ``OutOfFrames``, having changed nothing.
    """
    # BEGIN SOLUTION
    top = memory.load((root << PAGE_SHIFT) + PTE_SIZE * vpn(address, 2))
    if not top & V:
        return False
    place = (ppn(top) << PAGE_SHIFT) + PTE_SIZE * vpn(address, 1)
    pointer = memory.load(place)
    if not pointer & V or frames.count(ppn(pointer)) == 1:
        return False
    copy = frames.allocate_table()
    memory.copy_frame(ppn(pointer), copy)
    for pte in memory.table(copy):
        if pte & V:
            frames.share(ppn(pte))
    memory.store(place, make_pte(copy, V))
    frames.release(ppn(pointer))
    return True
    # END SOLUTION


def release_tables(memory: Memory, frames: Frames, root: int) -> None:
    """exit(2): gives back what the page table with this root holds.

    The root and the middle tables are this process's own. A leaf table has one user less, and only
    when this was its last, every frame with a page in it too. Nobody will look at tables that are
    free.
    """
    # BEGIN SOLUTION
    for top in memory.table(root):
        if not top & V:
            continue
        for pointer in memory.table(ppn(top)):
            if not pointer & V:
                continue
            table = ppn(pointer)
            if frames.count(table) == 1:
                for pte in memory.table(table):
                    if pte & V:
                        frames.release(ppn(pte))
            frames.release(table)
        frames.release(ppn(top))
    frames.release(root)
    # END SOLUTION
