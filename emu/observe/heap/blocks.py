"""Heap blocks of an address space, each with the calls that allocated it."""

from __future__ import annotations

from typing import NamedTuple

_SHIFT = 12
_SMALL = 1 << 16
"""Blocks below this size are in the bucket of their first page; larger ones in one table."""


class Block(NamedTuple):
    """Range [start, start + size), and the return addresses of the allocating calls."""

    start: int
    size: int
    calls: tuple[int, ...]


class Blocks:
    """Blocks by address. A copy shares its original's buckets until one of the two changes them."""

    def __init__(self) -> None:
        self._buckets: dict[int, dict[int, Block]] = {}
        self._large: dict[int, Block] = {}
        self._own: set[int] = set()

    def copy(self) -> Blocks:
        other = Blocks()
        other._buckets = dict(self._buckets)
        other._large = dict(self._large)
        self._own.clear()
        return other

    def add(self, block: Block) -> None:
        self.remove(block.start)
        if block.size >= _SMALL:
            self._large[block.start] = block
        else:
            self._bucket(block.start >> _SHIFT)[block.start] = block

    def remove(self, start: int) -> None:
        """Removes the block at ``start``; no effect if there is none."""
        key = start >> _SHIFT
        if start in self._large:
            del self._large[start]
        elif start in self._buckets.get(key, ()):
            del self._bucket(key)[start]

    def _bucket(self, key: int) -> dict[int, Block]:
        """Returns a bucket that may be modified."""
        if key not in self._own:
            self._own.add(key)
            self._buckets[key] = dict(self._buckets.get(key, ()))
        return self._buckets[key]

    def find(self, address: int) -> Block | None:
        """Returns the block that contains ``address``."""
        first = max(address - _SMALL, 0) >> _SHIFT
        for key in range(address >> _SHIFT, first - 1, -1):
            bucket = self._buckets.get(key)
            if not bucket:
                continue
            below = [start for start in bucket if start <= address]
            if below:
                block = bucket[max(below)]
                if address < block.start + block.size:
                    return block
                break  # blocks don't overlap, so none that begins before can reach further
        for block in self._large.values():
            if block.start <= address < block.start + block.size:
                return block
        return None
