"""What is found out about an address, once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

_MOST = 1 << 18
T = TypeVar("T")


class Remembered(dict[int, T]):
    """Asks ``find`` about each address the first time; after that it costs what a dict does."""

    def __init__(self, find: Callable[[int], T]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, address: int) -> T:
        if len(self) >= _MOST:
            self.clear()
        found = self[address] = self._find(address)
        return found
