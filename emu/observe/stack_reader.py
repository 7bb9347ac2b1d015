"""Reading a guest's stack, word by word, as fast as Python can."""

from __future__ import annotations

from collections.abc import Callable

from emu.machine.pte import PAGE_MASK, PAGE_SHIFT, V, ppn
from emu.observe.peek import peek
from kernel.space import USER_END, AddressSpace


def stack_reader(space: AddressSpace) -> Callable[[int], int | None]:
    """A function from an address to the eight bytes there; None when they are not in memory.

    It is good for as long as the machine stands still.
    """
    pte_of, ram = space.table.pte, space.frames.ram
    words, base = ram.words, ram.base
    pages: dict[int, int] = {}

    def read(va: int) -> int | None:
        start = pages.get(va >> PAGE_SHIFT)
        if start is None:
            pte = pte_of(va) if 0 <= va < USER_END else 0
            if not pte & V:
                return None
            start = pages[va >> PAGE_SHIFT] = (ppn(pte) << PAGE_SHIFT) - base
        if va & 7:  # code, before a return address
            data = peek(space, va, 8)
            return int.from_bytes(data, "little") if data is not None else None
        return words[start + (va & PAGE_MASK) >> 3]

    return read
