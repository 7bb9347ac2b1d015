"""Values of record fields, from traps, PTEs and VMAs."""

from __future__ import annotations

from functools import lru_cache

from emu.machine.cause import Access
from emu.machine.pte import U, V
from emu.machine.sv39 import Rule
from emu.observe.model.records import Range, text
from kernel.mm.mappings.vma import Prot, Vma


def rule_of_pte(pte: int, access: Access) -> Rule:
    """The rule of the privileged specification that an access of the kernel's violates."""
    if not pte & V:
        return Rule.INVALID
    if not pte & U:
        return Rule.NOT_USER
    return (Rule.NOT_EXECUTABLE, Rule.NOT_READABLE, Rule.NOT_WRITABLE)[access]


def range_of(vma: Vma) -> Range:
    return _range_of(vma.start, vma.end, int(vma.prot), vma.shared, vma.name)


@lru_cache(maxsize=4096)
def _range_of(start: int, end: int, prot: int, shared: bool, name: str) -> Range:
    return Range(start, end, Vma(start, end, Prot(prot), shared).rights_text, text(name))
