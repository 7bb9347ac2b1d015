"""The receiver of a recorder's events and rows of faults."""

from __future__ import annotations

from typing import Protocol

from emu.observe.model.raw_events import EventReceiver
from emu.observe.model.row_buffer import RowBuffer
from emu.observe.unwind.known_backtraces import KnownBacktraces


class RowReceiver(EventReceiver, Protocol):
    """A receiver with memory for rows of faults."""

    @property
    def rows(self) -> RowBuffer:
        """The memory."""

    @property
    def known_backtraces(self) -> KnownBacktraces | None:
        """Backtraces that rows may refer to by their numbers."""
