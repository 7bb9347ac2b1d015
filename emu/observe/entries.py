"""What the page tables and VMAs say, in the words of a trace."""

from __future__ import annotations

from functools import lru_cache

from emu.machine.pte import (
    FLAGS,
    PAGE_SHIFT,
    PTES_PER_TABLE,
    VPN_BITS,
    R,
    U,
    V,
    W,
    X,
    flags_text,
    ppn,
)
from emu.machine.sv39 import Rule
from emu.machine.trap import Access, Trap
from emu.observe.records import Entry, Range, text
from kernel.pagetable import COW
from kernel.space import USER_END, AddressSpace
from kernel.vma import Prot, Vma


def walk_entries(space: AddressSpace, va: int) -> list[Entry]:
    """The entries that a walk of ``va`` reads, root first, as the tables are now."""
    entries: list[Entry] = []
    if va >= USER_END:
        return entries
    ram = space.frames.ram
    words, first, table = ram.words, ram.base, space.table.root << PAGE_SHIFT
    for level in (2, 1, 0):
        address = table + 8 * (va >> PAGE_SHIFT + VPN_BITS * level & PTES_PER_TABLE - 1)
        pte = words[address - first >> 3]
        entries.append(Entry(level, address, pte, pte_flags(pte)))
        if not pte & V or pte & (R | W | X):
            break
        table = ppn(pte) << PAGE_SHIFT
    return entries


def broken_rule(trap: Trap | None, pte: int, access: Access) -> str:
    """Why the access failed, in the MMU's words."""
    if trap is not None and trap.fault is not None:
        return _RULES[trap.fault.rule.name]
    if not pte & V:
        return _RULES["INVALID"]
    if not pte & U:
        return _RULES["NOT_USER"]
    return _RULES[("NOT_EXECUTABLE", "NOT_READABLE", "NOT_WRITABLE")[access]]


_RULES = {rule.name: rule.value for rule in Rule}


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
