"""Sinks that build a report, which is written after the run."""

from __future__ import annotations

from typing import BinaryIO

from emu.observe.model.records import AnyRecord
from emu.observe.report.builder import Builder
from emu.observe.report.host_files import HostFiles
from emu.observe.report.page import page


class Report:
    """A sink whose ``write`` makes the page from all records received."""

    def __init__(self, files: HostFiles) -> None:
        self._builder = Builder(files)

    def __call__(self, record: AnyRecord) -> None:
        self._builder(record)

    @property
    def complete(self) -> bool:
        """True when the end record has been received."""
        return self._builder.complete

    def write(self, file: BinaryIO) -> None:
        for piece in page(self._builder.data()):
            file.write(piece)


class ReportFile(Report):
    """A sink that writes to ``file`` in ``close``, which may raise OSError."""

    def __init__(self, file: BinaryIO, files: HostFiles) -> None:
        super().__init__(files)
        self._file = file

    def close(self) -> None:
        with self._file as file:
            self.write(file)
