"""Lab 8, a fork that shares page tables: a leaf table is copied before the first change to it.

A copy-on-write fork copies no page, but writes a PTE for each. This fork also shares the leaf
tables, so that it writes one pointer for each 2 MiB (Zhao et al., "On-demand-fork", EuroSys '21)::

    parent   root ---> middle ---+
                                 +--> leaf table 0x80012, count 2 --> frame 0x80031, count 1
    child    root'---> middle'---+         0x11000  R--U-AD CoW

The frame of a table is counted like any other: it has one user for each pointer to it. The frame of
a page has one user for each PTE. The PTEs of a table that two processes share exist once.

A store through a shared table would affect both processes, so no private page in it may have W.
Before a PTE in it is changed, the process must get a table of its own. The kernel calls
``own_table()`` for that: before it handles a page fault, munmap(2), mprotect(2) and similar calls.
The machine flushes the TLB after each of these functions.
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
    """Prepares the leaf table in frame ``table`` for sharing.

    Every private page in it that has W gets ``COW`` in place of W. All other PTEs are kept, and not
    written: those of read-only pages, and of shared memory (``not frames.is_private(frame)``),
    which keeps W.
    """
    # BEGIN SOLUTION
    for index, pte in enumerate(memory.table(table)):
        if pte & V and pte & W and frames.is_private(ppn(pte)):
            memory.store((table << PAGE_SHIFT) + PTE_SIZE * index, pte & ~W | COW)
    # END SOLUTION


def share_tables(memory: Memory, frames: Frames, parent: int) -> int:
    """Implements fork(2): makes a page table for the child that shares the parent's leaf tables.

    ``parent`` is the frame of the parent's root table. Returns the frame of the child's. The child
    has its own root and middle tables. Each leaf table of the parent gets a user; the frames mapped
    in it do not. Pages lose W when their table is shared for the first time (``take_w``); the PTEs
    of a table that is already shared are not written again. Raises ``OutOfFrames`` when there is no
    frame for a table, after releasing all tables of the child: all counts are then as before the
    call. (Pages may have lost W; the next store to them repairs that.)
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
    """Shares the leaf tables of one middle table with another."""
    for index, pointer in enumerate(memory.table(parent)):
        if pointer & V:
            if frames.count(ppn(pointer)) == 1:
                take_w(memory, frames, ppn(pointer))
            memory.store((child << PAGE_SHIFT) + PTE_SIZE * index, pointer)
            frames.share(ppn(pointer))


# END SOLUTION


def own_table(memory: Memory, frames: Frames, root: int, address: int) -> bool:
    """Gives the process its own leaf table for ``address``, before a PTE in it is changed.

    ``root`` is the frame of the process's root table. If the leaf table has other users, a copy
    replaces it in this page table (``memory.copy_frame`` copies a whole table). The old table is
    released, and each frame mapped in the copy gets a user. The PTEs keep their flags. The page
    tables of other processes are unchanged.

    Returns True if the table was copied; False if it has no other user, or there is no table.
    Raises ``OutOfFrames`` without any change.
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
    """Implements exit(2): releases the frames of the page table with this root.

    The root and the middle tables belong to this process. Each leaf table is released; every frame
    mapped in it is released too, but only if this process was the table's last user. Free tables
    are not used afterwards.
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
