"""Input that a terminal's reader has not read: bytes, and where lines end in them."""

from __future__ import annotations

SIZE = 4096
END_OF_FILE = 0
"""The byte that stands for VEOF at the end of a line; it is not read."""


class InputQueue:
    """Bytes of complete lines, then those of the line that is being edited."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ends = bytearray()
        """For each byte 1 if it ends a line, else 0."""
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
        self._ends += bytes(len(data))

    def drop_last(self, count: int = 1) -> None:
        """Removes bytes of the line that is being edited."""
        del self._bytes[len(self._bytes) - count :]
        del self._ends[len(self._bytes) :]

    def put_end(self, char: int) -> None:
        """Adds the byte that ends a line; :data:`END_OF_FILE` for one that is not read."""
        self.put(bytes((char,)))
        self.end_line()

    def end_line(self) -> None:
        """Makes the last byte the end of a line."""
        self._ends[-1] = 1
        self.complete = len(self._bytes)

    def clear(self) -> None:
        self.take(len(self._bytes))

    def forget_lines(self) -> None:
        """Makes all bytes part of one line that is being edited."""
        self._ends = bytearray(len(self._bytes))
        self.complete = 0

    @property
    def readable_of_lines(self) -> int:
        """Number of bytes of complete lines that will be read."""
        return self.complete - sum(map(self._ends_file, range(self.complete)))

    def take(self, count: int) -> bytes:
        """Takes up to ``count`` bytes, whether lines or not."""
        data = bytes(self._bytes[:count])
        del self._bytes[:count], self._ends[:count]
        self.complete = max(0, self.complete - count)
        return data

    def take_line(self, count: int) -> bytes:
        """Takes up to ``count`` bytes of the first line, which is complete.

        An end of file just behind them is taken, too, so that the next read does not see it.
        """
        count = min(count, self.complete)
        end = self._ends.find(1, 0, count)
        if end < 0:
            data = self.take(count)
            if self._bytes and self._ends_file(0):
                self.take(1)
            return data
        ends_file = self._ends_file(end)
        data = self.take(end + 1)
        return data[:-1] if ends_file else data

    def _ends_file(self, index: int) -> bool:
        return self._ends[index] == 1 and self._bytes[index] == END_OF_FILE
