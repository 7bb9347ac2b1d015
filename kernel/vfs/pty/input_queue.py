"""Input that a terminal's reader has not read: bytes, and where lines end in them."""

from __future__ import annotations

from collections import deque

SIZE = 4096
END_OF_FILE = 0
"""The byte that stands for VEOF at the end of a line; it is not read."""


class InputQueue:
    """Bytes of complete lines, then those of the line that is being edited."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._start = 0
        """Number of bytes taken before."""
        self._ends: deque[int] = deque()
        """Positions, counted from the beginning of time, of bytes that end a line."""
        self.complete = 0
        """Number of bytes in complete lines."""

    def __len__(self) -> int:
        return len(self._bytes)

    @property
    def edited(self) -> int:
        """Number of bytes in the line that is being edited."""
        return len(self._bytes) - self.complete

    def at(self, index: int) -> int:
        return self._bytes[index]

    def put(self, data: bytes) -> None:
        self._bytes += data

    def drop_last(self, count: int = 1) -> None:
        """Removes bytes of the line that is being edited."""
        del self._bytes[len(self._bytes) - count :]

    def put_end(self, char: int) -> None:
        """Adds the byte that ends a line; :data:`END_OF_FILE` for one that is not read."""
        self._bytes.append(char)
        self.end_line()

    def end_line(self) -> None:
        """Makes the last byte the end of a line."""
        self._ends.append(self._start + len(self._bytes) - 1)
        self.complete = len(self._bytes)

    def clear(self) -> None:
        self._take(len(self._bytes))
        self.forget_lines()

    def forget_lines(self) -> None:
        """Makes all bytes part of one line that is being edited."""
        self._ends.clear()
        self.complete = 0

    @property
    def readable_of_lines(self) -> int:
        """Number of bytes of complete lines that will be read."""
        unread = sum(self._bytes[end - self._start] == END_OF_FILE for end in self._ends)
        return self.complete - unread

    def take(self, count: int) -> bytes:
        """Takes up to ``count`` bytes, whether lines or not."""
        return self._take(min(count, len(self._bytes)))

    def take_line(self, count: int) -> bytes:
        """Takes up to ``count`` bytes of the first line, which is complete.

        An end of file just behind them is taken, too, so that the next read does not see it.
        """
        count = min(count, self.complete)
        end = self._ends[0] - self._start if self._ends else count
        if end >= count:
            data = self._take(count)
            if self._ends and self._ends[0] == self._start and self._bytes[0] == END_OF_FILE:
                self._take_end(1)
            return data
        data = self._take_end(end + 1)
        return data if data[-1] != END_OF_FILE else data[:-1]

    def _take_end(self, count: int) -> bytes:
        self._ends.popleft()
        return self._take(count)

    def _take(self, count: int) -> bytes:
        data = bytes(self._bytes[:count])
        del self._bytes[:count]
        self._start += count
        self.complete = max(0, self.complete - count)
        return data
