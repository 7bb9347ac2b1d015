"""Lab 3, fork by copying: a child gets a copy of every page, and exit gives all of it back.

A page table has three levels of 512 entries. An entry with V and none of R, W and X points to a
table of the next level; in the last level an entry with V maps a page::

    root (a frame)          middle                 leaf                   page
    +----------------+      +----------------+     +----------------+
    | VPN[2] -> PPN  | ---> | VPN[1] -> PPN  | --> | VPN[0] -> PPN  | --> 4,096 bytes
    +----------------+      +----------------+     +----------------+

``pages(memory, root)`` goes through what is mapped, ``new_leaf_entry(...)`` finds the PTE for an
address and makes tables where they are missing, ``memory.table(frame)`` has the 512 entries of one.
"""

from __future__ import annotations

from emu.lab.kit import (
    FLAGS,
    Frames,
    Memory,
    OutOfFrames,
    V,
    make_pte,
    new_leaf_entry,
    pages,
    ppn,
)


def copy_page(memory: Memory, frames: Frames, pte: int) -> int:
    """The child's PTE for a page of the parent's with the PTE ``pte``.

    A private page (``frames.is_private(ppn(pte))``) is copied to a new frame; any other keeps its
    frame, which then has one user more. All flags are those of the parent's PTE. Raises
    ``OutOfFrames``, having changed nothing.
    """
    # BEGIN SOLUTION
    frame = ppn(pte)
    if not frames.is_private(frame):
        frames.share(frame)
        return pte
    copy = frames.allocate()
    memory.copy_frame(frame, copy)
    return make_pte(copy, pte & FLAGS)
    # END SOLUTION


def copy_space(memory: Memory, frames: Frames, parent: int) -> int:
    """fork(2): makes a page table for the child, with a copy of every page of the parent's.

    ``parent`` is the frame of the parent's root table; returned is that of the child's. The
    parent's tables and pages stay as they are. Raises ``OutOfFrames`` when memory runs out: then
    every frame that was taken for the child, page or table, is given back first.
    """
    # BEGIN SOLUTION
    child = frames.allocate_table()
    try:
        for address, _, pte in pages(memory, parent):
            entry = new_leaf_entry(memory, frames, child, address)
            memory.store(entry, copy_page(memory, frames, pte))
    except OutOfFrames:
        release_space(memory, frames, child)
        raise
    return child
    # END SOLUTION


def release_space(memory: Memory, frames: Frames, root: int) -> None:
    """exit(2): gives back all that the page table with this root holds.

    Every page that is mapped has one user less, and every table, of all three levels, too. Nobody
    will look at the tables afterwards.
    """
    # BEGIN SOLUTION
    for top in memory.table(root):
        if not top & V:
            continue
        for middle in memory.table(ppn(top)):
            if not middle & V:
                continue
            for pte in memory.table(ppn(middle)):
                if pte & V:
                    frames.release(ppn(pte))
            frames.release(ppn(middle))
        frames.release(ppn(top))
    frames.release(root)
    # END SOLUTION
