"""Copied pages: the number of bytes changed in each by the time its process released it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from emu.machine.pte import (
    HUGE_FRAMES,
    HUGE_SIZE,
    PAGE_MASK,
    PAGE_SHIFT,
    PAGE_SIZE,
    PTES_PER_TABLE,
    V,
    ppn,
)
from emu.machine.ram import Ram
from emu.observe.model.raw_events import CopyRetired
from emu.observe.record.usage_loops import different_bytes
from kernel.mm.address_space import AddressSpace
from kernel.mm.resolution import Resolution

_WORD_SHIFT: Final = 3
_BATCH: Final = 64
"""Maximum number of pages passed on at once."""
_MAX_SPARE: Final = 1 << 10
OnRetired = Callable[[list[CopyRetired], str], None]
"""Receives the retired pages and the reason."""


class Copy:
    """Content of a page, as 64-bit words, when the fault with record number ``fault`` copied it."""

    def __init__(self) -> None:
        self.fault = self.pid = 0
        self.content = memoryview(bytearray(PAGE_SIZE)).cast("Q")

    def take(self, ram: Ram, frame: int) -> None:
        start = ((frame << PAGE_SHIFT) - ram.base) >> _WORD_SHIFT
        self.content[:] = ram.typed_words[start : start + PTES_PER_TABLE]

    def changed_bytes(self, ram: Ram, frame: int) -> int:
        """The number of bytes in which the frame differs from the content."""
        start = ((frame << PAGE_SHIFT) - ram.base) >> _WORD_SHIFT
        return different_bytes(self.content, ram.typed_words, start)


class _Parts:
    """The pages of a huge page that have not ended, and the bytes changed in the others."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.changed = 0


class CopiedPages:
    """The copied pages in use. ``on_retired`` receives them when they are released.

    A copy is retired when its page is unmapped, when another fault copies the page again (a later
    fork has shared it), or with its process's image. Until then it takes 4 KiB of host memory.
    """

    def __init__(self, on_retired: OnRetired) -> None:
        self._receive = on_retired
        self._copies: dict[AddressSpace, dict[int, Copy]] = {}
        self._parts: dict[int, _Parts] = {}
        """The huge pages that were copied whole, by their fault."""
        self._spare: list[Copy] = []
        """For use again, as new memory costs the host a page fault."""

    def add(self, space: AddressSpace, r: Resolution, fault: int, pid: int) -> None:
        """Adds the page, or the huge page, that the fault with this resolution has just copied.

        Precondition: no store to it has been executed since.
        """
        if not r.huge:
            self._add(space, r.va & ~PAGE_MASK, fault, pid)
            return
        self._parts[fault] = _Parts(HUGE_FRAMES)
        start = r.va & -HUGE_SIZE
        for each in range(start, start + HUGE_SIZE, PAGE_SIZE):
            self._add(space, each, fault, pid)

    def _add(self, space: AddressSpace, page: int, fault: int, pid: int) -> None:
        copy = self._spare.pop() if self._spare else Copy()
        copy.fault, copy.pid = fault, pid
        frame = ppn(space.table.pte(page))
        pages = self._copies.get(space)
        if pages is None:
            pages = self._copies[space] = {}
        previous = pages.get(page)
        pages[page] = copy
        copy.take(space.frames.ram, frame)
        if previous is not None:  # the content copied now is the final one of the previous copy
            changed = previous.changed_bytes(space.frames.ram, frame)
            retired = CopyRetired(previous.fault, previous.pid, page, changed)
            self._on_retired([retired], "copied again")
            self._spare.append(previous)

    def _on_retired(self, retired: list[CopyRetired], why: str) -> None:
        """Passes on the pages, of a huge page only the last one: with the sum of all."""
        if self._parts:
            summed = map(self._summed, retired)
            retired = [page for page in summed if page is not None]
        if retired:
            self._receive(retired, why)

    def _summed(self, page: CopyRetired) -> CopyRetired | None:
        parts = self._parts.get(page.fault)
        if parts is None:
            return page
        parts.left -= 1
        parts.changed += page.changed
        if parts.left:
            return None
        del self._parts[page.fault]
        return CopyRetired(page.fault, page.pid, page.address, parts.changed)

    def clearing(self, space: AddressSpace, start: int, end: int) -> None:
        pages = self._copies.get(space)
        if not pages:
            return
        every = range(start, end, PAGE_SIZE)
        span: Iterable[int] = every if len(every) <= len(pages) else sorted(pages)
        unmapped = [page for page in span if page in pages and start <= page < end]
        self._retire(space, [(page, pages.pop(page)) for page in unmapped], "unmapped")

    def moved(self, space: AddressSpace, start: int, end: int, to: int) -> None:
        pages = self._copies.get(space, {})
        for page in [page for page in pages if start <= page < end]:
            pages[page - start + to] = pages.pop(page)

    def transfer(self, space: AddressSpace, pid: int, to: int) -> None:
        """Attributes the copies of process ``pid``, which leaves the space, to process ``to``."""
        pages = self._copies.get(space, {})
        for copy in pages.values():
            if copy.pid == pid:
                copy.pid = to

    def discarding(self, space: AddressSpace, why: str) -> None:
        """Retires all copies of a space that is about to be released."""
        self._retire(space, sorted(self._copies.pop(space, {}).items()), why)

    def _retire(self, space: AddressSpace, pages: list[tuple[int, Copy]], why: str) -> None:
        retired = []
        for page, copy in pages:
            pte = space.table.pte(page)
            if pte & V:
                changed = copy.changed_bytes(space.frames.ram, ppn(pte))
                retired.append(CopyRetired(copy.fault, copy.pid, page, changed))
            if len(self._spare) < _MAX_SPARE:
                self._spare.append(copy)
        for start in range(0, len(retired), _BATCH):
            self._on_retired(retired[start : start + _BATCH], why)
