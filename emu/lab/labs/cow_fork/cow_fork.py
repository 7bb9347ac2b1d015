"""Lab 4, copy-on-write fork: shares the frames, and copies a page when a process stores to it.

A leaf PTE of Sv39, and the bit COW for your own use (RSW0, which the hardware ignores)::

     63     54 53                          10 9 8 7 6 5 4 3 2 1 0
    | reserved |   PPN: the frame's number   |· C|D A G U X W R V|

Before fork, and after it::

    parent  0x11000  RW-U-AD      -> frame 0x80231, count 1

    parent  0x11000  R--U-AD CoW  -> frame 0x80231, count 2
    child   0x11000  R--U-AD CoW  -> frame 0x80231

A page with ``COW`` is writable for its process after a fault. A page with neither W nor ``COW`` is
read-only, and stays so. The machine flushes the TLB after each of these functions.
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
    """Releases the pages and tables of an incomplete child."""
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
    which is empty. Afterwards both PTEs refer to the same frame, to which a user is added. If the
    page is private and has W, both PTEs get ``COW`` in place of W; all other bits are kept. A page
    that is read-only or already ``COW`` is shared unchanged. Shared memory (``not
    frames.is_private(frame)``) keeps W: a store to it is meant for both processes.
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
    """Implements fork(2): makes a page table for the child, which shares every parent page.

    ``parent`` is the frame of the parent's root table. Returns the frame of the child's. No page is
    copied. Raises ``OutOfFrames`` when there is no frame for a table, after releasing every frame
    that was allocated or shared: all counts are then as before the call. (The parent's pages may
    remain ``COW``; the next store to them repairs that.)
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
    """Handles the page fault of a store to ``address`` that the process's PTE did not allow.

    ``root`` is the frame of its root table. The page is mapped (V is set). The cases are:

    * The page has neither W nor ``COW``: return ``NOT_ALLOWED`` and change nothing. The kernel will
      kill the process.
    * The page has W: return ``SPURIOUS`` and change nothing.
    * The page is ``COW`` and its frame has no other user: the process keeps the frame, without a
      copy. Return ``REUSED``.
    * The page is ``COW`` and its frame has other users: the process gets a new frame with the same
      bytes, and releases the old one. Return ``COPIED``.

    Afterwards the process's PTE has W, A and D, no ``COW``, and its other bits are unchanged, as
    are the PTEs of other processes. Raises ``OutOfFrames`` without any change.
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
    """Writes ``data`` to a process's memory at ``address`` for the kernel, as read(2) does.

    Every page of the range is mapped. Some pages may be ``COW``, some read-only, and the range may
    begin and end anywhere in a page. The kernel writes physical memory, so no page fault occurs.
    Returns the number of bytes written: all, or those before the first read-only page. The PTEs of
    the written pages are as after a store by the process: W, A and D are set. A PTE that is correct
    already is not written. Raises ``OutOfFrames``; bytes written before that remain.
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
