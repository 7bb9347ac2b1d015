"""Lab 3, fork by copying: a child gets a copy of every page, and exit releases all of them.

A page table has three levels of 512 entries. An entry with V and without R, W and X points to a
table of the next level. In the last level an entry with V maps a page::

    root (a frame)          middle                 leaf                   page
    +----------------+      +----------------+     +----------------+
    | VPN[2] -> PPN  | ---> | VPN[1] -> PPN  | --> | VPN[0] -> PPN  | --> 4,096 bytes
    +----------------+      +----------------+     +----------------+

``pages(memory, root)`` yields all mapped pages, ``new_leaf_entry(...)`` returns the address of the
PTE for a virtual address and allocates missing tables, ``memory.table(frame)`` returns the 512
entries of a table.
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
    """Returns the child's PTE for a page of the parent with the PTE ``pte``.

    A private page (``frames.is_private(ppn(pte))``) is copied to a new frame. Any other page keeps
    its frame, to which a user is added. All flags are those of the parent's PTE. Raises
    ``OutOfFrames`` without any change.
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
    """Implements fork(2): makes a page table for the child, with a copy of every parent page.

    ``parent`` is the frame of the parent's root table. Returns the frame of the child's. The
    parent's tables and pages are unchanged. Raises ``OutOfFrames`` when memory is exhausted, after
    releasing every frame that was allocated or shared for the child, page or table.
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
    """Implements exit(2): releases all frames of the page table with this root.

    Releases every mapped page and every table, of all three levels, once. The tables are not used
    afterwards.
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
