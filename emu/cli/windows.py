"""``emu trace --around-faults``: each fault as ``emu trace`` has it, below what led to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from emu.observe import records
from emu.observe.around_faults import Window, window_lines
from emu.observe.filters import Filter, Filtered
from emu.observe.records import AnyRecord
from emu.observe.trace_lines import TraceLines
from emu.observe.walk_lines import walk_lines
from emu.observe.wanted import Sink


class Windows:
    """A sink for records, and for the window of each fault, which comes before its record."""

    def __init__(
        self, write: Callable[[bytes], object], chosen: Filter | None, *, walk: bool
    ) -> None:
        self._write = write
        self._lines: list[str] = []
        self._fault = TraceLines(self._lines.append, walk=walk_lines if walk else None)
        self._waiting: deque[Window] = deque()
        self._window: Window
        self.sink: Sink = self._tell if chosen is None else Filtered(self._tell, chosen)

    def add(self, window: Window) -> None:
        self._waiting.append(window)

    def __call__(self, record: AnyRecord) -> None:
        if isinstance(record, records.Fault):
            self._window = self._waiting.popleft()
        if isinstance(record, records.Fault | records.End):
            self.sink(record)

    def _tell(self, record: AnyRecord) -> None:
        if not isinstance(record, records.Fault):
            return
        self._lines.clear()
        self._fault(record)
        text = "".join(f"{line}\n" for line in [*window_lines(self._window), *self._lines, ""])
        self._write(text.encode())
