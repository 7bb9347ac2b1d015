"""The folder of results: one folder for each submission, and the summaries.

A file is whole or not there at all, whenever the grader is ended.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from emu.lab.grading.reports import FORMATS
from emu.lab.grading.reports.record import Record, decoded
from emu.lab.grading.reports.summary import summary_csv, summary_text
from emu.lab.grading.submission_files import Entry

_KEPT = "json"
"""The format from which all others are made; it is always written, and last."""


class Results:
    """Everything raises OSError when it can't be written."""

    def __init__(self, folder: Path, formats: Sequence[str]) -> None:
        self._folder = folder
        self._formats = formats

    def _file(self, entry: Entry, name: str) -> Path:
        return self._folder / entry.result / FORMATS[name].file

    def kept(self, entry: Entry) -> Record | None:
        return read(self._file(entry, _KEPT))

    def keep(self, entry: Entry, record: Record) -> None:
        self.write_others(entry, record)
        write(self._file(entry, _KEPT), FORMATS[_KEPT].make(record))

    def write_others(self, entry: Entry, record: Record) -> None:
        """What is made from the result that is kept."""
        for name in self._formats:
            if name != _KEPT:
                write(self._file(entry, name), FORMATS[name].make(record))

    def write_summary(self, records: Sequence[Record]) -> None:
        write(self._folder / "summary.csv", summary_csv(records))
        write(self._folder / "summary.txt", summary_text(records))


def read(path: Path) -> Record | None:
    """The result in a file; None when there is none, or none that is whole."""
    try:
        return decoded(path.read_bytes())
    except OSError:
        return None


def write(path: Path, data: bytes) -> None:
    """Puts ``data`` in the place of what is at ``path``, at once."""
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
