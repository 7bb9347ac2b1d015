"""Whether words of a guest's stack are what they were: many at once, as fast as Python can."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any, NamedTuple

from emu.machine.pte import PAGE_MASK
from emu.observe.unwind.stack_memory import Stack

Word = tuple[int, int | None]
"""An address and the eight bytes there; None when they were not in memory."""


class _Page(NamedTuple):
    """Words of one page. ``pick`` takes them out of all that the page has."""

    va: int
    pick: Callable[[memoryview], Any]
    expected: Any


class StackWords:
    """The words that were read once. They are distinct."""

    __slots__ = ("_others", "_pages")

    def __init__(self, words: Iterable[Word]) -> None:
        by_page: dict[int, dict[int, int]] = {}
        self._others: list[Word] = []
        """Those that were not there, or that do not lie as the stack's words do."""
        for va, word in words:
            if word is None or va & 7:
                self._others.append((va, word))
            else:
                by_page.setdefault(va & ~PAGE_MASK, {})[(va & PAGE_MASK) >> 3] = word
        self._pages = [_page(va, of_page) for va, of_page in by_page.items()]

    def hold(self, stack: Stack) -> bool:
        """Whether all of them are the same in ``stack``."""
        for va, pick, expected in self._pages:
            page = stack.page(va)
            if page is None or pick(page) != expected:
                return False
        return all(stack.read(va) == word for va, word in self._others)


def _page(va: int, words: dict[int, int]) -> _Page:
    expected: Any = tuple(words.values())
    return _Page(va, itemgetter(*words), expected if len(words) > 1 else expected[0])
