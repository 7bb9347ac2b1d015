"""Lab 4, copy-on-write fork: share the frames, and copy a page only when somebody stores to it.

A leaf PTE of Sv39, and the bit that is yours (RSW0, which the hardware ignores)::

     63     54 53                          10 9 8 7 6 5 4 3 2 1 0
    | reserved |   PPN: the frame's number   |· C|D A G U X W R V|

Before fork, and after it::

    parent  0x11000  RW-U-A-D    -> frame 0x80231, count 1

    parent  0x11000  R--U-A-D C  -> frame 0x80231, count 2
    child   0x11000  R--U-A-D C  -> frame 0x80231

A page with ``COW`` may be written by right. A page with neither W nor ``COW`` is read-only, and
stays so. The TLB is flushed for you after each of these functions.
"""

from __future__ import annotations

from emu.lab.kit import (
    COW,
    PAGE_MASK,
    PAGE_SHIFT,
    PAGE_SIZE,
    A,
    D,
    Frames,
    Memory,
    Outcome,
    OutOfFrames,
    V,
    W,
    leaf_entry,
    make_pte,
    new_leaf_entry,
    pages,
    ppn,
)

# BEGIN SOLUTION


def release_tables(memory: Memory, frames: Frames, root: int) -> None:
    """Gives back what a child that can't be finished has so far: its pages, then its tables."""
    for top in memory.table(root):
        if top & V:
            for middle in memory.table(ppn(top)):
                if middle & V:
                    for pte in memory.table(ppn(middle)):
                        if pte & V:
                            frames.release(ppn(pte))
                    frames.release(ppn(middle))
            frames.release(ppn(top))
    frames.release(root)


# END SOLUTION


def share_page(memory: Memory, frames: Frames, entry: int, child_entry: int) -> None:
    """Shares one page of the parent with the child.

    ``entry`` is the physical address of the parent's PTE, ``child_entry`` that of the child's,
    which is still empty. Afterwards both PTEs name the same frame, which has one user more. Where
    the parent could store to a private page, both lose W and get ``COW`` instead; all other bits
    stay. A page that was read-only or ``COW`` already is shared as it is. Memory that is shared on
    purpose (``not frames.is_private(frame)``) keeps W: who stores to it means both.
    """
    # BEGIN SOLUTION
    pte = memory.load(entry)
    if pte & W and frames.is_private(ppn(pte)):
        pte = pte & ~W | COW
        memory.store(entry, pte)
    memory.store(child_entry, pte)
    frames.share(ppn(pte))
    # END SOLUTION


def share_space(memory: Memory, frames: Frames, parent: int) -> int:
    """fork(2): makes a page table for the child, with every page of the parent's shared.

    ``parent`` is the frame of the parent's root table; returned is that of the child's. No page is
    copied. Raises ``OutOfFrames`` when there is no frame for a table: then every frame that was
    taken is given back and every count is as it was, as if fork had not been called (the parent's
    pages may be ``COW``; that is repaired by their next store).
    """
    # BEGIN SOLUTION
    child = frames.allocate_table()
    try:
        for address, entry, _ in pages(memory, parent):
            child_entry = new_leaf_entry(memory, frames, child, address)
            share_page(memory, frames, entry, child_entry)
    except OutOfFrames:
        release_tables(memory, frames, child)
        raise
    return child
    # END SOLUTION


def store_fault(memory: Memory, frames: Frames, root: int, address: int) -> Outcome:
    """A process stored to ``address``, and its PTE did not allow it.

    ``root`` is the frame of its root table. The page is mapped (V is set). What to do, and return:

    * The page is not ``COW`` and has no W: ``NOT_ALLOWED``, and nothing is changed; the process
      will be killed.
    * It has W: ``SPURIOUS``; there is nothing to do.
    * It is ``COW`` and nobody else uses the frame: the process takes it over, ``REUSED``. No copy.
    * It is ``COW`` and others use the frame: the process gets a new frame with the same bytes,
      ``COPIED``, and the old one has one user less.

    Afterwards the process's PTE has W, A and D, no ``COW``, and all its other bits as before; the
    PTEs of others are as they were. Raises ``OutOfFrames``, having changed nothing.
    """
    # BEGIN SOLUTION
    entry = leaf_entry(memory, root, address)
    assert entry is not None
    pte = memory.load(entry)
    if pte & W:
        return Outcome.SPURIOUS
    if not pte & COW:
        return Outcome.NOT_ALLOWED
    flags = pte & (1 << 10) - 1 & ~COW | W | A | D
    frame = ppn(pte)
    if frames.count(frame) == 1:
        memory.store(entry, make_pte(frame, flags))
        return Outcome.REUSED
    copy = frames.allocate()
    memory.copy_frame(frame, copy)
    memory.store(entry, make_pte(copy, flags))
    frames.release(frame)
    return Outcome.COPIED
    # END SOLUTION


def copy_to_user(memory: Memory, frames: Frames, root: int, address: int, data: bytes) -> int:
    """The kernel itself writes ``data`` to a process's memory at ``address``, as read(2) does.

    Every page of the range is mapped; some may be ``COW``, some read-only, and the range may begin
    and end anywhere in a page. No TLB and no fault helps here: the kernel writes physical memory.
    Returns how many bytes were written: all, or those before the first page that may not be
    written. The PTEs of these are as if the process had stored there: W, A and D are set, and no
    PTE is written that is right already. Raises ``OutOfFrames``; what was written before stays.
    """
    # BEGIN SOLUTION
    done = 0
    while done < len(data):
        at = address + done
        if store_fault(memory, frames, root, at) is Outcome.NOT_ALLOWED:
            break
        entry = leaf_entry(memory, root, at)
        assert entry is not None
        pte = memory.load(entry)
        if not pte & D:
            memory.store(entry, pte | A | D)
        size = min(len(data) - done, PAGE_SIZE - (at & PAGE_MASK))
        memory.write((ppn(pte) << PAGE_SHIFT) + (at & PAGE_MASK), data[done : done + size])
        done += size
    return done
    # END SOLUTION
