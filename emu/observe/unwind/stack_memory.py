"""Stack memory of a guest for the unwinder: the live memory, or a copy."""

from __future__ import annotations

from typing import Final, Protocol

from emu.machine.pte import PAGE_MASK, PAGE_SHIFT, PAGE_SIZE, PTES_PER_TABLE, V, ppn
from emu.observe.model.guest_memory import peek
from kernel.mm.address_space import AddressSpace
from kernel.mm.mappings.vma import USER_END

_COPIED: Final = 4 * PAGE_SIZE
"""Maximum bytes to copy. Most stacks are smaller, and copying one is faster than unwinding it."""


class Stack(Protocol):
    """Source of 64-bit words, of which there are none from ``end`` on."""

    @property
    def end(self) -> int: ...

    def page(self, va: int) -> memoryview | None:
        """Returns the words of the page that begins at ``va``; None when it is not in memory.

        They are fewer where the stack ends.
        """

    def read(self, va: int) -> int | None:
        """Returns the eight bytes at ``va``; None when they are not in memory."""


class LiveStack:
    """The memory of ``space``; valid while the machine is stopped."""

    def __init__(self, space: AddressSpace) -> None:
        self.end = USER_END
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
    """Copy of a stack from ``sp`` on; both are multiples of 8."""

    def __init__(self, sp: int, content: bytes) -> None:
        self._first = sp & ~PAGE_MASK
        self.end = sp + len(content)
        self._sp = sp
        self._words = memoryview(bytes(sp & PAGE_MASK) + content).cast("Q")

    def page(self, va: int) -> memoryview | None:
        start = va - self._first >> 3
        if not 0 <= start < len(self._words):
            return None
        return self._words[start : start + PTES_PER_TABLE]

    def read(self, va: int) -> int | None:
        if not self._sp <= va <= self.end - 8:
            return None
        index, shift = divmod(va - self._first, 8)
        word: int = self._words[index]
        if shift:
            word = (self._words[index + 1] << 64 | word) >> 8 * shift & (1 << 64) - 1
        return word


def stack_end(space: AddressSpace, sp: int) -> int:
    """Returns the end of the main thread's stack if it must be copied from ``sp`` on, else 0.

    It is not copied when it is large, when a part is not in memory, and when ``sp`` is in another
    stack (a thread's or a coroutine's), whose callers may continue on the stack that it was
    switched from. The main thread's stack is the highest mapping. It ends where the arguments and
    the environment begin, to which no frame extends.
    """
    vmas = space.vmas
    if not vmas or sp & 7:
        return 0
    vma = vmas[-1]
    end = space.image.stack_start & ~7 or vma.end
    start = vma.start
    if not vma.grows_down or not start <= sp <= end or sp == vma.end or end - sp > _COPIED:
        return 0
    page = sp & ~PAGE_MASK
    while page < end:
        if not space.table.pte(page) & V:
            return 0
        page += PAGE_SIZE
    return end


def stack_parts(space: AddressSpace, sp: int) -> list[memoryview] | None:
    """Returns the stack that must be copied, as slices of RAM; None if there is none."""
    end = stack_end(space, sp)
    if not end:
        return None
    ram = space.frames.ram
    parts = []
    while sp < end:
        start = (ppn(space.table.pte(sp)) << PAGE_SHIFT | sp & PAGE_MASK) - ram.base
        size = min(PAGE_SIZE - (sp & PAGE_MASK), end - sp)
        parts.append(ram.bytes[start : start + size])
        sp += size
    return parts
