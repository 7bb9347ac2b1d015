"""The break of copy-on-write: the first store to a page whose frame may be shared."""

from __future__ import annotations

from emu.machine.pte import A, D, W, X, make_pte, ppn
from kernel.mm.address_space import AddressSpace
from kernel.mm.mappings.vma import Vma
from kernel.mm.outcome import Outcome
from kernel.mm.page_tables.page_table import CLEAN, COW
from kernel.mm.physical.frames import Kind


def break_cow(space: AddressSpace, vma: Vma, page: int, pte: int) -> Outcome:
    """Handles a store to a private page whose frame may be shared: copies or reuses the frame."""
    frames = space.frames
    frame = ppn(pte)
    kind = frames.kind(frame)
    if kind is Kind.ZERO:
        map_zeroed(space, vma, page)
        outcome = Outcome.ZERO_FILLED
    elif kind is Kind.PRIVATE and frames.may_reuse(frame):
        frames.make_exclusive(frame)
        space.table.set_pte(page, pte & ~(COW | CLEAN) | W | A | D)
        return Outcome.REUSED
    else:
        copy = copy_privately(space, vma, frame)
        space.table.set_pte(page, make_pte(copy, vma.pte_flags | D))
        outcome = Outcome.COPIED if kind is Kind.PRIVATE else Outcome.FILE_COPIED
    frames.release(frame)
    if pte & X:
        # The TLB may hold an entry that was filled by a fetch, which a store does not replace.
        space.flush_tlb()
    return outcome


def copy_privately(space: AddressSpace, vma: Vma, frame: int) -> int:
    """Copies a frame to a new one of the VMA. Raises OutOfMemory."""
    copy = space.frames.allocate(Kind.PRIVATE)
    vma.has_private = True
    space.frames.ram.copy_frame(frame, copy)
    return copy


def map_zeroed(space: AddressSpace, vma: Vma, page: int) -> None:
    """Maps a new private frame of zeroes. Raises OutOfMemory."""
    space.table.leaf(page)  # allocates the table first, so that a failure takes no frame
    frame = space.frames.allocate_zeroed(Kind.PRIVATE)
    vma.has_private = True
    space.table.set_pte(page, make_pte(frame, vma.pte_flags | D))
    space.resident_bound += 1


def read_only_flags(vma: Vma) -> int:
    """PTE flags of a private page that shares its frame."""
    flags = vma.pte_flags
    if flags & W:
        flags = flags & ~W | COW
    return flags
