"""Texts of PTEs, pages and kinds of frames in messages."""

from __future__ import annotations

from emu.lab.kit import COW
from emu.machine.pte import PAGE_MASK, PAGE_SHIFT, V, flags_text, is_leaf, ppn
from kernel.mm.address_space import AddressSpace
from kernel.mm.frames import Kind

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


def pte_text(pte: int) -> str:
    """Returns the flags of a PTE, and C for ``COW``."""
    return f"{flags_text(pte)}{' C' if pte & COW else ''}"


def entry_text(pte: int | None) -> str:
    """Returns the flags and the frame of a PTE, or the table that it points to."""
    if pte is None or not pte & V:
        return "none"
    if not is_leaf(pte):
        return f"table {ppn(pte):#x}"
    return f"{ppn(pte):#x} {pte_text(pte)}"


def page_text(space: AddressSpace, va: int) -> str:
    """Returns the address, current PTE, frame and count of the page of ``va``."""
    pte, frames = space.table.pte(va), space.frames
    text = f"{va & ~PAGE_MASK:#x}  {pte_text(pte)}"
    if not pte & V or not frames.ram.holds(ppn(pte) << PAGE_SHIFT):
        return text
    return f"{text}  → frame {ppn(pte):#x}, count {frames.counts[ppn(pte) - frames.first]}"
