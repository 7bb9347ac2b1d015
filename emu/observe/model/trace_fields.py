"""What the page tables and VMAs say, in the words of a trace."""

from __future__ import annotations

from functools import lru_cache

from emu.machine.cause import Access
from emu.machine.pte import FLAGS, U, V, flags_text
from emu.machine.sv39 import Rule
from emu.machine.trap import Trap
from emu.observe.model.records import Range, text
from kernel.mm.page_table import COW
from kernel.mm.vma import Prot, Vma


def broken_rule(trap: Trap | None, pte: int, access: Access) -> str:
    """Why the access failed, in the MMU's words."""
    if trap is not None and trap.fault is not None:
        return trap.fault.rule.text
    if not pte & V:
        return Rule.INVALID.text
    if not pte & U:
        return Rule.NOT_USER.text
    return (Rule.NOT_EXECUTABLE, Rule.NOT_READABLE, Rule.NOT_WRITABLE)[access].text


@lru_cache(maxsize=FLAGS + 1)
def _flags_of(flags: int) -> str:
    return flags_text(flags) + (" CoW" if flags & COW else "") if flags & V else ""


def pte_flags(pte: int) -> str:
    """Such as ``R--U-A- CoW``; nothing for an entry that is not valid."""
    return _flags_of(pte & FLAGS)


def range_of(vma: Vma) -> Range:
    return _range_of(vma.start, vma.end, int(vma.prot), vma.shared, vma.name)


@lru_cache(maxsize=4096)
def _range_of(start: int, end: int, prot: int, shared: bool, name: str) -> Range:
    return Range(start, end, Vma(start, end, Prot(prot), shared).rights_text, text(name))
