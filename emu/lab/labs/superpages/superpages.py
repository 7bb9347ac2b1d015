"""Lab 7, superpages: map 2 MiB with one PTE, and split it when one page of it must be copied.

An entry of a middle table with V and any of R, W and X is a leaf already: it maps 512 frames in a
row, of which the first one's number is a multiple of 512 (the privileged specification, 4.3.2)::

    root        middle                           leaf
    +------+    +----------------------------+
    |      | -> | 0x80200  RW-U-A-D          | ----------------> frames 0x80200 to 0x803ff
    +------+    +----------------------------+

    split, which changes nothing for the process:

    +------+    +----------------------------+    +--------------------+
    |      | -> | 0x80040  V only: a pointer | -> | 0x80200  RW-U-A-D  | -> frame 0x80200
    +------+    +----------------------------+    | 0x80201  RW-U-A-D  | -> frame 0x80201
                                                  |   ... to 0x803ff   |

Each of the 512 frames counts on its own: one user for each superpage, or PTE of a leaf table, that
maps it. fork(2), which is ours, shares a superpage as a whole: both processes get its PTE, with
``COW`` instead of W. The TLB is flushed for you after each of these functions.
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
    """The physical address of the entry for ``address`` in its middle table; None without one."""
    top = memory.load((root << PAGE_SHIFT) + PTE_SIZE * vpn(address, 2))
    return (ppn(top) << PAGE_SHIFT) + PTE_SIZE * vpn(address, 1) if top & V else None


def is_superpage(memory: Memory, root: int, address: int) -> bool:
    """Whether a superpage maps ``address``."""
    entry = middle_entry(memory, root, address)
    return entry is not None and bool(memory.load(entry) & V) and is_leaf(memory.load(entry))


def map_superpage(memory: Memory, frames: Frames, root: int, address: int, flags: int) -> None:
    """A process touched memory for the first time: maps the superpage at ``address``, of zeroes.

    ``root`` is the frame of its root table. 2 MiB divide the address, and nothing is mapped there,
    nor is there a leaf table; there may be no middle table either. ``flags`` are all flags of the
    PTE. ``frames.allocate_superpage()`` gives the frames, with whatever was in them. Raises
    ``OutOfFrames`` when no 512 free frames lie in a row, or there is none for the middle table;
    then nothing is mapped (a small page will be, by the kernel), but a new middle table may stay.
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
    """Makes 512 pages of the superpage that maps ``address``, which need not be its first.

    The entry of the middle table points to a new leaf table afterwards, whose PTEs map the same
    frames with the same flags, all of them. No byte is copied and no count of a page changes. It is
    also called by the kernel: before munmap(2) of a part, mprotect(2) and mremap(2). Raises
    ``OutOfFrames``, having changed nothing.
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
    """A process stored to ``address``, and its PTE, of a page or a superpage, did not allow it.

    As in lab 4, ``root`` is the frame of its root table, and V is set. What to do, and return:

    * The PTE has neither W nor ``COW``: ``NOT_ALLOWED``. It has W: ``SPURIOUS``. Nothing changes.
    * It is a superpage, and nobody else uses any of its 512 frames: the process takes all of it
      over, ``REUSED``. It stays a superpage.
    * It is a superpage otherwise: it is split, and then its page is treated as the next two say.
    * It is a page whose frame nobody else uses: the process takes it over, ``REUSED``.
    * It is a page whose frame others use: the process gets a new frame with the same bytes,
      ``COPIED``; the old one has one user less. No other page is copied.

    The PTE that maps ``address`` then has W, A and D, no ``COW``, and all its other bits as before.
    Raises ``OutOfFrames``; a split that was done by then stays, and nothing else has changed.
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
    """Whether nobody else uses any of the 512 frames."""
    return all(frames.count(frame) == 1 for frame in range(first, first + PTES_PER_TABLE))


def small_store_fault(memory: Memory, frames: Frames, root: int, address: int) -> Outcome:
    """:func:`store_fault` for a page of 4 KiB that is ``COW``."""
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
