"""A guest's stack, to find callers on: as it is now, or a copy of what it was."""

from __future__ import annotations

from typing import Protocol

from emu.machine.pte import PAGE_MASK, PAGE_SHIFT, PAGE_SIZE, PTES_PER_TABLE, V, ppn
from emu.observe.model.guest_memory import peek
from kernel.mm.address_space import USER_END, AddressSpace

_COPIED = 2 * PAGE_SIZE
"""Bytes: most stacks are smaller, and it takes less to copy them than to look for callers."""


class Stack(Protocol):
    """Reads words, of 64 bits, as fast as Python can."""

    def page(self, va: int) -> memoryview | None:
        """The words of the page that begins at ``va``; None when it is not in memory."""

    def read(self, va: int) -> int | None:
        """The eight bytes at ``va``; None when they are not in memory."""


class LiveStack:
    """The memory of ``space``, for as long as the machine stands still."""

    def __init__(self, space: AddressSpace) -> None:
        self._space = space
        self._pages: dict[int, memoryview | None] = {}

    def page(self, va: int) -> memoryview | None:
        if va not in self._pages:
            self._pages[va] = self._page(va)
        return self._pages[va]

    def _page(self, va: int) -> memoryview | None:
        pte = self._space.table.pte(va) if 0 <= va < USER_END else 0
        if not pte & V:
            return None
        ram = self._space.frames.ram
        start = (ppn(pte) << PAGE_SHIFT) - ram.base >> 3
        return ram.words[start : start + PTES_PER_TABLE]

    def read(self, va: int) -> int | None:
        if va & 7:
            data = peek(self._space, va, 8)
            return None if data is None else int.from_bytes(data, "little")
        page = self.page(va & ~PAGE_MASK)
        return None if page is None else page[(va & PAGE_MASK) >> 3]


class CopiedStack:
    """What the stack held from ``sp``, which is a multiple of 8, up to the end of a page."""

    def __init__(self, sp: int, content: bytes) -> None:
        self._first = sp & ~PAGE_MASK
        self._end = sp + len(content)
        self._sp = sp
        self._words = memoryview(bytes(sp & PAGE_MASK) + content).cast("Q")

    def page(self, va: int) -> memoryview | None:
        start = va - self._first >> 3
        if not 0 <= start < len(self._words):
            return None
        return self._words[start : start + PTES_PER_TABLE]

    def read(self, va: int) -> int | None:
        if not self._sp <= va <= self._end - 8:
            return None
        index, shift = divmod(va - self._first, 8)
        word: int = self._words[index]
        if shift:
            word = (self._words[index + 1] << 64 | word) >> 8 * shift & (1 << 64) - 1
        return word


def stack_parts(space: AddressSpace, sp: int) -> list[memoryview] | None:
    """What a program's own stack holds from ``sp`` on, as the machine's memory has it now.

    None when that is much, or partly not in memory; and when ``sp`` is in another stack, a thread's
    or a coroutine's, from which calls may lead to where it was switched from. Nothing lies above
    the program's own.
    """
    vma = space.vmas[-1] if space.vmas else None
    if vma is None or not vma.grows_down or not vma.start <= sp or sp & 7:
        return None
    if not 0 < vma.end - sp <= _COPIED:
        return None
    ram, pte_of, end = space.frames.ram, space.table.pte, vma.end
    parts = []
    while sp < end:
        pte = pte_of(sp)
        if not pte & V:
            return None
        start = (ppn(pte) << PAGE_SHIFT | sp & PAGE_MASK) - ram.base
        size = PAGE_SIZE - (sp & PAGE_MASK)
        parts.append(ram.bytes[start : start + size])
        sp += size
    return parts
