"""Texts of PTEs, pages and kinds of frames in messages."""

from __future__ import annotations

from emu.machine.pte import PAGE_MASK, PAGE_SHIFT, V, ppn
from kernel.mm.address_space import AddressSpace
from kernel.mm.page_tables.pte_text import pte_flags
from kernel.mm.physical.frames import Kind

FRAME_KIND_TEXT = {
    Kind.FREE: "free",
    Kind.PRIVATE: "a process's memory",
    Kind.CACHE: "a page of a file or of shared memory",
    Kind.TABLE: "a page table",
    Kind.ZERO: "the frame of zeroes",
}
"""Description of each kind of frame."""

PAGE_PREFIX = "the page:"
"""Prefix of a line about the page that a student's function was called for."""


def flags_or_invalid(pte: int) -> str:
    """Such as ``R--U-A- CoW``; ``invalid`` for an entry without V."""
    return pte_flags(pte) or "invalid"


def page_text(space: AddressSpace, va: int) -> str:
    """Returns the address, current PTE, frame and count of the page of ``va``."""
    pte, frames = space.table.pte(va), space.frames
    text = f"{va & ~PAGE_MASK:#x}  {flags_or_invalid(pte)}"
    if not pte & V or not frames.ram.holds(ppn(pte) << PAGE_SHIFT):
        return text
    return f"{text}  → frame {ppn(pte):#x}, count {frames.counts[ppn(pte) - frames.first]}"
