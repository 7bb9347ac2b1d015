"""Fingerprint of a stack: words that unwinding has read, compared many at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any, NamedTuple

from emu.machine.pte import PAGE_MASK
from emu.observe.unwind.known_backtraces import Word
from emu.observe.unwind.stack_memory import Stack


class _Page(NamedTuple):
    """Words of one page. ``pick`` selects them from all words of the page."""

    va: int
    pick: Callable[[memoryview], Any]
    expected: Any


class StackWords:
    """Words read from a stack, at distinct addresses."""

    __slots__ = ("_others", "_pages")

    def __init__(self, words: Iterable[Word]) -> None:
        by_page: dict[int, dict[int, int]] = {}
        self._others: list[Word] = []
        """Words that were not in memory, or are not aligned to 8 bytes."""
        for va, word in words:
            if word is None or va & 7:
                self._others.append((va, word))
            else:
                by_page.setdefault(va & ~PAGE_MASK, {})[(va & PAGE_MASK) >> 3] = word
        self._pages = [_page(va, of_page) for va, of_page in by_page.items()]

    def match(self, stack: Stack) -> bool:
        """Returns True if ``stack`` holds the same words."""
        for va, pick, expected in self._pages:
            page = stack.page(va)
            try:
                if page is None or pick(page) != expected:
                    return False
            except IndexError:
                return False  # the stack ends before
        return all(stack.read(va) == word for va, word in self._others)


def _page(va: int, words: dict[int, int]) -> _Page:
    expected: Any = tuple(words.values())
    return _Page(va, itemgetter(*words), expected if len(words) > 1 else expected[0])
