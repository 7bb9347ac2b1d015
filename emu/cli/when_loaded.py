"""Records only of a program that came to run."""

from __future__ import annotations

from collections.abc import Sequence

from emu.cli.progress import Progress
from emu.observe import records
from emu.observe.records import AnyRecord
from emu.observe.wanted import Sink


class WhenLoaded:
    """A sink that passes all records on, but none before the first program is loaded."""

    def __init__(self, sinks: Sequence[Sink], progress: Progress) -> None:
        self._sinks = sinks
        self._progress = progress
        self._early: list[AnyRecord] | None = []

    def __call__(self, record: AnyRecord) -> None:
        early = self._early
        if early is None:
            self._tell(record)
            return
        early.append(record)
        if isinstance(record, records.Exec):
            self._early = None
            for each in early:
                self._tell(each)

    def _tell(self, record: AnyRecord) -> None:
        self._progress.count += 1
        for sink in self._sinks:
            sink(record)
