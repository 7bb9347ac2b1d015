"""Page-table walks as entries: an address and a PTE for each level, root first."""

from __future__ import annotations

from typing import Final

from emu.machine.pte import PAGE_SHIFT, PTES_PER_TABLE, VPN_BITS, R, V, W, X, ppn
from emu.machine.ram import Ram
from kernel.mm.address_space import AddressSpace
from kernel.mm.mappings.vma import USER_END

_MAX_CACHED: Final = 1 << 12
_LEAF_SHIFT: Final = PAGE_SHIFT + VPN_BITS
_INDEX: Final = PTES_PER_TABLE - 1


class _UpperEntries:
    """The two entries that lead to a leaf table: word indices in RAM, and PTEs when cached."""

    def __init__(self, entries: tuple[int, int, int, int], leaf: int, base: int) -> None:
        first, self.pte, second, self.next_pte = entries
        self.at = first - base >> 3
        self.next_at = second - base >> 3
        self.entries = entries
        self.leaf = leaf


class WalkCache:
    """Walks page tables. Caches the upper entries, valid while their PTEs are the same."""

    def __init__(self) -> None:
        self._upper: dict[tuple[int, int], _UpperEntries] = {}

    def entries(self, space: AddressSpace, va: int) -> tuple[int, ...]:
        """Returns the entries that a walk of ``va`` reads now."""
        ram, key = space.frames.ram, (space.table.root, va >> _LEAF_SHIFT)
        words = ram.words
        upper = self._upper.get(key)
        if upper is None or words[upper.at] != upper.pte or words[upper.next_at] != upper.next_pte:
            entries = _walk(space, va)
            if len(entries) == 6:
                self._store(key, entries, ram)
            return entries
        address = upper.leaf + 8 * (va >> PAGE_SHIFT & _INDEX)
        return (*upper.entries, address, words[address - ram.base >> 3])

    def _store(self, key: tuple[int, int], entries: tuple[int, ...], ram: Ram) -> None:
        if len(self._upper) >= _MAX_CACHED:
            self._upper.clear()
        first, pte, second, next_pte, third, _ = entries
        leaf = third & ~(8 * PTES_PER_TABLE - 1)
        self._upper[key] = _UpperEntries((first, pte, second, next_pte), leaf, ram.base)


def _walk(space: AddressSpace, va: int) -> tuple[int, ...]:
    entries: list[int] = []
    if va >= USER_END:
        return ()
    ram = space.frames.ram
    words, first, table = ram.words, ram.base, space.table.root << PAGE_SHIFT
    for level in (2, 1, 0):
        address = table + 8 * (va >> PAGE_SHIFT + VPN_BITS * level & _INDEX)
        pte = words[address - first >> 3]
        entries += (address, pte)
        if not pte & V or pte & (R | W | X):
            break
        table = ppn(pte) << PAGE_SHIFT
    return tuple(entries)
