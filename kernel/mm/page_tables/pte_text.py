"""PTEs as text, for messages and traces."""

from __future__ import annotations

from functools import lru_cache

from emu.machine.pte import FLAGS, V, flags_text, is_leaf, ppn
from kernel.mm.page_tables.page_table import COW


@lru_cache(maxsize=FLAGS + 1)
def _of_flags(flags: int) -> str:
    return flags_text(flags) + (" CoW" if flags & COW else "") if flags & V else ""


def pte_flags(pte: int) -> str:
    """Such as ``R--U-A- CoW``; empty for an entry that is not valid."""
    return _of_flags(pte & FLAGS)


def pte_text(pte: int | None) -> str:
    """Frame number and flags: ``0x80231 R--U-A- CoW``; ``table 0x80231``; ``none`` for no PTE or 0;
    ``invalid 0x12`` for another one without V.
    """
    if not pte:
        return "none"
    if not pte & V:
        return f"invalid {pte:#x}"
    return f"{ppn(pte):#x} {pte_flags(pte)}" if is_leaf(pte) else f"table {ppn(pte):#x}"
