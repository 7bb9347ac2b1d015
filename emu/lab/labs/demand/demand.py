"""Lab 5, demand paging: brk and mmap only promise memory; a page is there when it is touched.

What a process may have is in its mappings. What it has is in its page table::

    mappings                                     page table
    0x400000-0x408000  RW-U   the heap   . . .   0x400000  RW-U-A-D    -> frame 0x80040, its own
                                                 0x401000  R--U-A-- C  -> the frame of zeroes
                                                 0x402000  (no PTE)       never touched
    0x3fefffd000-0x3ff0000000  RW-U   the stack, which may grow down to `lowest`

A page that was only read shows the frame of zeroes (``frames.zero``), which all processes share and
nobody ever writes. The TLB is flushed for you after each of these functions.
"""

from __future__ import annotations

from emu.lab.kit import (
    COW,
    PAGE_SIZE,
    SUPERPAGE_SIZE,
    Access,
    D,
    Frames,
    Mapping,
    Memory,
    Outcome,
    R,
    U,
    V,
    W,
    X,
    leaf_entry,
    make_pte,
    new_leaf_entry,
    ppn,
)

NEEDED = {Access.LOAD: U | R, Access.STORE: U | W, Access.FETCH: U | X}
"""What the flags of a mapping must have for each kind of access."""
# BEGIN SOLUTION


def growing_stack(mappings: list[Mapping], address: int) -> Mapping | None:
    """The stack that may grow down to ``address``, if there is one."""
    for mapping in mappings:
        if mapping.grows_down and mapping.lowest <= address < mapping.start:
            return mapping
    return None


# END SOLUTION


def page_fault(
    memory: Memory,
    frames: Frames,
    root: int,
    mappings: list[Mapping],
    address: int,
    access: Access,
) -> Outcome:
    """A process touched ``address``, the start of a page for which its page table has nothing.

    ``root`` is the frame of its root table. ``mappings`` are its ranges of anonymous memory; none
    overlap. What to do, and return:

    * No mapping holds the address, nor may a stack grow to it: ``NOT_MAPPED``. The process will be
      killed, as with the next one, and nothing is changed.
    * The mapping's ``flags`` lack a right that ``access`` takes (see ``NEEDED``): ``NOT_ALLOWED``.
    * A load or a fetch: the page shows the frame of zeroes, which has one user more,
      ``ZERO_SHARED``. Its PTE has the flags of the mapping; but where these have W it gets ``COW``
      instead, so that the first store faults again (with V set: that fault is not yours).
    * A store: the page gets a new frame of zeroes, ``ZERO_FILLED``, and the PTE all flags of the
      mapping, and D.
    * No mapping holds the address, but one ``grows_down`` and lies above, and its ``lowest`` is not
      above the address: the stack grows. (Not for an access that its ``flags`` don't allow:
      ``NOT_ALLOWED``.) The page gets a new frame as for a store, for a load too, ``STACK_GROWN``.
      The kernel extends the mapping when you return.

    Only the page that was touched is made. ``frames.allocate()`` gives a frame with whatever was in
    it. Raises ``OutOfFrames`` when there is no frame, for the page or for a table; then no PTE is
    written and no frame kept, but new tables may stay.
    """
    # BEGIN SOLUTION
    mapping = next((each for each in mappings if each.start <= address < each.end), None)
    grown = mapping is None
    if mapping is None:
        mapping = growing_stack(mappings, address)
    if mapping is None:
        return Outcome.NOT_MAPPED
    if NEEDED[access] & ~mapping.flags:
        return Outcome.NOT_ALLOWED
    entry = new_leaf_entry(memory, frames, root, address)
    if access is not Access.STORE and not grown:
        flags = mapping.flags
        if flags & W:
            flags = flags & ~W | COW
        memory.store(entry, make_pte(frames.zero, flags))
        frames.share(frames.zero)
        return Outcome.ZERO_SHARED
    frame = frames.allocate()
    memory.zero_frame(frame)
    memory.store(entry, make_pte(frame, mapping.flags | D))
    return Outcome.STACK_GROWN if grown else Outcome.ZERO_FILLED
    # END SOLUTION


def unmap_range(memory: Memory, frames: Frames, root: int, start: int, end: int) -> None:
    """The pages of [``start``, ``end``) are no longer the process's: munmap(2), or a smaller heap.

    Both are addresses of pages. The range may be large, most of it was perhaps never touched, and
    for some of it there may be no table: ``leaf_entry()`` is then None, and the next table begins
    at the next address that ``SUPERPAGE_SIZE`` divides. Of every page that is there the PTE becomes
    0, and its frame has one user less, whatever frame it is. The tables stay, and so does every
    page outside of the range.
    """
    # BEGIN SOLUTION
    address = start
    while address < end:
        entry = leaf_entry(memory, root, address)
        if entry is None:
            address = (address // SUPERPAGE_SIZE + 1) * SUPERPAGE_SIZE
            continue
        pte = memory.load(entry)
        if pte & V:
            memory.store(entry, 0)
            frames.release(ppn(pte))
        address += PAGE_SIZE
    # END SOLUTION
