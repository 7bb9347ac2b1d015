"""Records only of a program that came to run."""

from __future__ import annotations

from emu.observe import records
from emu.observe.records import AnyRecord
from emu.observe.wanted import Sink


class WhenLoaded:
    """A sink that passes all records on, but none before the first program is loaded."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._early: list[AnyRecord] | None = []

    def __call__(self, record: AnyRecord) -> None:
        early = self._early
        if early is None:
            self._sink(record)
            return
        early.append(record)
        if isinstance(record, records.Exec):
            self._early = None
            for each in early:
                self._sink(each)
