"""The free ranges of an address space, in blocks that know their longest range.

A search skips the blocks without a range that is long enough, so that it takes about as long as one
step through the blocks however many ranges are too short (Linux keeps the longest gap in each node
of its maple tree).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

_MOST = 512
"""Maximum number of ranges in a block."""


class _Block:
    """Some consecutive ranges, by their start."""

    __slots__ = ("longest", "sizes", "starts")

    def __init__(self, starts: list[int], sizes: list[int]) -> None:
        self.starts = starts
        self.sizes = sizes
        self.longest = max(sizes, default=0)
        """Upper bound of the sizes."""


class FreeRanges:
    """Disjoint ranges, each known by its start."""

    def __init__(self) -> None:
        self._blocks = [_Block([], [])]
        self._firsts = [0]
        """Lowest start that belongs in each block."""

    def copy(self) -> FreeRanges:
        other = FreeRanges()
        other._blocks = [_Block(list(each.starts), list(each.sizes)) for each in self._blocks]
        other._firsts = list(self._firsts)
        return other

    def set(self, start: int, size: int) -> None:
        """Records that ``size`` bytes from ``start`` are free, or none of them."""
        number = bisect_right(self._firsts, start) - 1
        block = self._blocks[number]
        at = bisect_left(block.starts, start)
        known = at < len(block.starts) and block.starts[at] == start
        if size > 0:
            if known:
                block.sizes[at] = size
            else:
                block.starts.insert(at, start)
                block.sizes.insert(at, size)
            block.longest = max(block.longest, size)
            if len(block.starts) > _MOST:
                self._halve(number)
        elif known:
            del block.starts[at], block.sizes[at]
            if number and not block.starts:
                del self._blocks[number], self._firsts[number]

    def _halve(self, number: int) -> None:
        block = self._blocks[number]
        half = _MOST // 2
        upper = _Block(block.starts[half:], block.sizes[half:])
        self._blocks[number : number + 1] = [_Block(block.starts[:half], block.sizes[:half]), upper]
        self._firsts.insert(number + 1, upper.starts[0])

    def highest(self, size: int, top: int) -> int | None:
        """Start of the highest ``size`` free bytes that end at ``top`` or below; None: no such."""
        last = bisect_left(self._firsts, top) - 1
        for number in range(last, -1, -1):
            block = self._blocks[number]
            if block.longest < size:
                continue
            block.longest = max(block.sizes, default=0)
            for at in range(bisect_left(block.starts, top) - 1, -1, -1):
                if block.sizes[at] >= size:
                    end = min(block.starts[at] + block.sizes[at], top)
                    if end - block.starts[at] >= size:
                        return end - size
        return None

    def items(self) -> list[tuple[int, int]]:
        """(start, size) of each range, in ascending order."""
        return [
            pair for block in self._blocks for pair in zip(block.starts, block.sizes, strict=True)
        ]
