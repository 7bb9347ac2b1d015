"""Lab 5, demand paging: brk and mmap only record a mapping; the first access allocates the page.

Mappings are the ranges that a process may access. Its page table has the pages allocated so far::

    mappings                                     page table
    0x400000-0x408000  RW-U   the heap   . . .   0x400000  RW-U-AD      -> frame 0x80040, its own
                                                 0x401000  R--U-A- CoW  -> the frame of zeroes
                                                 0x402000  (no PTE)       never touched
    0x3fefffd000-0x3ff0000000  RW-U   the stack, which may grow down to `lowest`

A page that was only read maps the frame of zeroes (``frames.zero``), which all processes share and
none ever writes. The machine flushes the TLB after each of these functions.
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
"""Flags that a mapping must have for each kind of access."""
# BEGIN SOLUTION


def growing_stack(mappings: list[Mapping], address: int) -> Mapping | None:
    """Returns the stack that may grow down to ``address``, if there is one."""
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
    """Handles the page fault of an access to ``address``, for which the page table has no PTE.

    ``address`` is the start of the page. ``root`` is the frame of the process's root table.
    ``mappings`` are its ranges of anonymous memory, which do not overlap. The cases are:

    * No mapping contains the address, and no stack may grow to it: return ``NOT_MAPPED`` and change
      nothing. The kernel will kill the process, as in the next case.
    * The mapping's ``flags`` lack a right that ``access`` requires (see ``NEEDED``): return
      ``NOT_ALLOWED`` and change nothing.
    * A load or a fetch: map the frame of zeroes, and add a user to it. The PTE has the flags of the
      mapping, but with ``COW`` in place of W, so that the first store faults again (with V set,
      which is not handled here). Return ``ZERO_SHARED``.
    * A store: map a new frame, filled with zeroes. The PTE has the flags of the mapping, and D.
      Return ``ZERO_FILLED``.
    * No mapping contains the address, but a mapping above it has ``grows_down``, and ``lowest`` at
      or below the address: the stack grows. If its ``flags`` do not allow the access, return
      ``NOT_ALLOWED``. Otherwise map a new frame as for a store, also for a load, and return
      ``STACK_GROWN``. The kernel then extends the mapping.

    Map only the page at ``address``. The bytes of a frame from ``frames.allocate()`` are undefined.
    Raises ``OutOfFrames`` when there is no frame for the page or a table: then no PTE is written
    and no frame is kept, but new tables may remain.
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
    """Unmaps the pages in [``start``, ``end``), for munmap(2) or a smaller heap.

    Both addresses are page-aligned. The range may be large, with few pages mapped and without
    tables for parts of it: ``leaf_entry()`` then returns None, and the next table begins at the
    next multiple of ``SUPERPAGE_SIZE``. For every mapped page set the PTE to 0 and release the
    frame, of whatever kind. The tables remain, as do all pages outside the range.
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
