"""PTEs as messages have them."""

from __future__ import annotations

from emu.lab.kit import COW
from emu.machine.pte import V, flags_text, is_leaf, ppn

PAGE_CONCERNED = "the page:"
"""What begins a line about the page that a student's function was called for."""


def pte_text(pte: int) -> str:
    """The flags, and C for ``COW``."""
    return f"{flags_text(pte)}{' C' if pte & COW else ''}"


def entry_text(pte: int | None) -> str:
    """A PTE with the frame, or the table that it points to."""
    if pte is None or not pte & V:
        return "none"
    if not is_leaf(pte):
        return f"table {ppn(pte):#x}"
    return f"{ppn(pte):#x} {pte_text(pte)}"
