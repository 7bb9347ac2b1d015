"""Memory that rows of page faults (:mod:`emu.observe.model.fault_row`) are written to in turn.

Cython compiles it with the recorder's side, ``row_buffer.pxd`` has the types.
"""

from __future__ import annotations

from collections.abc import Callable

from emu.observe.model.fault_row import MAX_WORDS


class RowBuffer:
    """The words of a receiver of rows: those from ``at`` to ``end`` are free.

    ``on_full`` makes room for a row, ``on_row`` is called after each row, if it is there.
    """

    def __init__(
        self,
        words: memoryview[int],
        on_full: Callable[[], None] | None = None,
        on_row: Callable[[], None] | None = None,
    ) -> None:
        self.words = words
        self.at = 0
        self.end = len(words)
        self.first = 0
        """Index of the first of the last ``number`` rows."""
        self.number = 0
        """Number of rows since the receiver took notice of them."""
        self._on_full = on_full
        self._on_row = on_row

    def has_room(self) -> bool:
        """True when any row fits."""
        return self.end - self.at >= MAX_WORDS

    def start(self) -> int:
        """Index of the first word for the next row."""
        if self.end - self.at < MAX_WORDS and self._on_full is not None:
            self._on_full()
        return self.at

    def finish(self, end: int) -> None:
        """Takes the row that was written there, and ends before the word ``end``."""
        if not self.number:
            self.first = self.at
        self.at = end
        self.number += 1
        if self._on_row is not None:
            self._on_row()
