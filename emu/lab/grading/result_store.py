"""The folder of results: one folder for each submission, and the summaries.

Files are replaced atomically: an interrupted grader leaves no partial file.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from emu.lab.grading.reports import FORMATS
from emu.lab.grading.reports.record import Record, decode
from emu.lab.grading.reports.summary import summary_csv, summary_text
from emu.lab.grading.submission_files import Entry

_STORED_FORMAT = "json"
"""Format from which all others are made; it is always written, after them."""


class ResultStore:
    """Reads and writes results. Methods that write raise OSError on failure."""

    def __init__(self, folder: Path, formats: Sequence[str]) -> None:
        self._folder = folder
        self._formats = formats

    def _file(self, entry: Entry, name: str) -> Path:
        return self._folder / entry.result / FORMATS[name].file

    def load(self, entry: Entry) -> Record | None:
        return read(self._file(entry, _STORED_FORMAT))

    def store(self, entry: Entry, record: Record) -> None:
        self.write_reports(entry, record)
        write(self._file(entry, _STORED_FORMAT), FORMATS[_STORED_FORMAT].make(record))

    def write_reports(self, entry: Entry, record: Record) -> None:
        """Writes the formats that are made from the stored result."""
        for name in self._formats:
            if name != _STORED_FORMAT:
                write(self._file(entry, name), FORMATS[name].make(record))

    def write_summary(self, records: Sequence[Record]) -> None:
        write(self._folder / "summary.csv", summary_csv(records))
        write(self._folder / "summary.txt", summary_text(records))


def read(path: Path) -> Record | None:
    """Reads a result file; None if it does not exist or is incomplete."""
    try:
        return decode(path.read_bytes())
    except OSError:
        return None


def write(path: Path, data: bytes) -> None:
    """Replaces the file at ``path`` atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
