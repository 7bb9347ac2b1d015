"""Lab 7, superpages: maps 2 MiB with one PTE, and splits it when one page of it must be copied.

An entry of a middle table with V and any of R, W and X is a leaf: it maps 512 consecutive frames,
the first of which has a number that is a multiple of 512 (the privileged specification, 10.3.2)::

    root        middle                           leaf
    +------+    +----------------------------+
    |      | -> | 0x80200  RW-U-AD           | ----------------> frames 0x80200 to 0x803ff
    +------+    +----------------------------+

    after a split, which the process does not notice:

    +------+    +----------------------------+    +--------------------+
    |      | -> | 0x80040  V only: a pointer | -> | 0x80200  RW-U-AD   | -> frame 0x80200
    +------+    +----------------------------+    | 0x80201  RW-U-AD   | -> frame 0x80201
                                                  |   ... to 0x803ff   |

Each of the 512 frames has its own count: one user for each superpage, or PTE of a leaf table, that
maps it. The kernel's fork(2) shares a superpage as a whole: both processes get its PTE, with
``COW`` in place of W. The machine flushes the TLB after each of these functions.
"""

from __future__ import annotations

from emu.lab.kit import (
    COW,
    FLAGS,
    PAGE_SHIFT,
    PTE_SIZE,
    PTES_PER_TABLE,
    A,
    D,
    Frames,
    Memory,
    Outcome,
    V,
    W,
    is_leaf,
    leaf_entry,
    make_pte,
    ppn,
    vpn,
)


def middle_entry(memory: Memory, root: int, address: int) -> int | None:
    """Returns the physical address of the middle table's entry for ``address``; None without a
    middle table.
    """
    top = memory.load((root << PAGE_SHIFT) + PTE_SIZE * vpn(address, 2))
    return (ppn(top) << PAGE_SHIFT) + PTE_SIZE * vpn(address, 1) if top & V else None


def is_superpage(memory: Memory, root: int, address: int) -> bool:
    """Returns True if a superpage maps ``address``."""
    entry = middle_entry(memory, root, address)
    return entry is not None and bool(memory.load(entry) & V) and is_leaf(memory.load(entry))


def map_superpage(memory: Memory, frames: Frames, root: int, address: int, flags: int) -> None:
    """Maps a new superpage of zeroes at ``address``, which a process accesses for the first time.

    ``root`` is the frame of its root table. ``address`` is a multiple of 2 MiB. Nothing is mapped
    there, and there is no leaf table; the middle table may be missing too. ``flags`` are all flags
    of the PTE. ``frames.allocate_superpage()`` returns the first of the frames, whose bytes are
    undefined. Raises ``OutOfFrames`` when there are no 512 consecutive free frames, or no frame for
    the middle table: then nothing is mapped (the kernel will map a page of 4 KiB), but a new middle
    table may remain.
    """
    # BEGIN SOLUTION
    entry = middle_entry(memory, root, address)
    if entry is None:
        middle = frames.allocate_table()
        memory.store((root << PAGE_SHIFT) + PTE_SIZE * vpn(address, 2), make_pte(middle, V))
        entry = (middle << PAGE_SHIFT) + PTE_SIZE * vpn(address, 1)
    first = frames.allocate_superpage()
    for frame in range(first, first + PTES_PER_TABLE):
        memory.zero_frame(frame)
    memory.store(entry, make_pte(first, flags))
    # END SOLUTION


def split(memory: Memory, frames: Frames, root: int, address: int) -> None:
    """Replaces the superpage that maps ``address``, anywhere in it, by 512 pages.

    Afterwards the entry of the middle table points to a new leaf table, whose PTEs map the same
    frames with all the same flags. No bytes are copied, and no count of a page changes. The kernel
    also calls it: before munmap(2) of a part, mprotect(2) and mremap(2). Raises ``OutOfFrames``
    without any change.
    """
    # BEGIN SOLUTION
    entry = middle_entry(memory, root, address)
    assert entry is not None
    superpage = memory.load(entry)
    table = frames.allocate_table()
    for index in range(PTES_PER_TABLE):
        pte = make_pte(ppn(superpage) + index, superpage & FLAGS)
        memory.store((table << PAGE_SHIFT) + PTE_SIZE * index, pte)
    memory.store(entry, make_pte(table, V))
    # END SOLUTION


def store_fault(memory: Memory, frames: Frames, root: int, address: int) -> Outcome:
    """Handles the page fault of a store to ``address`` that its PTE did not allow.

    The PTE is that of a page or a superpage. As in lab 4, ``root`` is the frame of the process's
    root table, and V is set. The cases are:

    * The PTE has neither W nor ``COW``: return ``NOT_ALLOWED``. It has W: return ``SPURIOUS``.
      Change nothing.
    * A superpage of which no frame has another user: the process keeps all of it, as a superpage.
      Return ``REUSED``.
    * Any other superpage: split it, and handle the page at ``address`` as in the next two cases.
    * A page whose frame has no other user: the process keeps the frame. Return ``REUSED``.
    * A page whose frame has other users: the process gets a new frame with the same bytes, and
      releases the old one. Copy no other page. Return ``COPIED``.

    Afterwards the PTE that maps ``address`` has W, A and D, no ``COW``, and its other bits are
    unchanged. Raises ``OutOfFrames``; a split done before that remains, nothing else has changed.
    """
    # BEGIN SOLUTION
    entry = leaf_entry(memory, root, address)
    assert entry is not None
    pte = memory.load(entry)
    if pte & W:
        return Outcome.SPURIOUS
    if not pte & COW:
        return Outcome.NOT_ALLOWED
    if is_superpage(memory, root, address):
        if is_sole_owner(frames, ppn(pte)):
            memory.store(entry, pte & ~COW | W | A | D)
            return Outcome.REUSED
        split(memory, frames, root, address)
    return small_store_fault(memory, frames, root, address)
    # END SOLUTION


# BEGIN SOLUTION
def is_sole_owner(frames: Frames, first: int) -> bool:
    """Returns True if each of the 512 frames has one user."""
    return all(frames.count(frame) == 1 for frame in range(first, first + PTES_PER_TABLE))


def small_store_fault(memory: Memory, frames: Frames, root: int, address: int) -> Outcome:
    """Handles a store to a page of 4 KiB that is ``COW``."""
    entry = leaf_entry(memory, root, address)
    assert entry is not None
    pte = memory.load(entry)
    flags = pte & FLAGS & ~COW | W | A | D
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
