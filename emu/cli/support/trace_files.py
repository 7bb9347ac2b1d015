"""The files that a trace goes to; what their names end in says what is written."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeAlias

from emu.cli.support.guest_run import CommandFailed
from emu.cli.support.message_stream import Lines, Output

if TYPE_CHECKING:
    from emu.observe.model.records import AnyRecord
    from emu.observe.report.host_files import HostFiles

SUFFIXES = (".jsonl", ".perfetto-trace", ".folded", ".txt")


class FileSink(Protocol):
    """What writes a trace to a file."""

    def __call__(self, record: AnyRecord) -> None: ...

    def close(self) -> None: ...


_Make: TypeAlias = Callable[[BinaryIO], FileSink]


def trace_file(text: str) -> str:
    """A file's name whose suffix says what to write."""
    if not text.endswith(SUFFIXES):
        raise argparse.ArgumentTypeError(f"{text!r} does not end in {', '.join(SUFFIXES)}")
    return text


@dataclass(slots=True)
class Files:
    """The trace files of a run; one that can't be written any more is given up with a message."""

    lines: Lines
    failed: bool = False
    """Whether a file was given up."""
    _waiting: dict[str, tuple[Output, _Make]] = field(default_factory=dict)
    _sinks: tuple[tuple[str, FileSink], ...] = ()

    def add(self, name: str) -> None:
        """A trace. Raises :class:`CommandFailed` when it can't be opened."""
        self._add(name, lambda file: _file_sink(name, file))

    def add_report(self, name: str, files: HostFiles) -> None:
        """A report, with source text and code from ``files``. Raises :class:`CommandFailed`."""
        from emu.observe.report.report_sink import ReportFile

        self._add(name, lambda file: ReportFile(file, files))

    def _add(self, name: str, make: _Make) -> None:
        try:
            self._waiting[name] = Output(name), make
        except OSError as error:
            self.lines.message(f"{name}: {error.strerror}")
            raise CommandFailed(2) from None

    def __call__(self, record: AnyRecord) -> None:
        if self._waiting:
            self._begin()
        for name, sink in self._sinks:
            try:
                sink(record)
            except OSError as error:
                self._give_up(name, error)

    def _begin(self) -> None:
        for name, (output, make) in self._waiting.items():
            try:
                self._sinks = (*self._sinks, (name, make(os.fdopen(output.begin(), "wb"))))
            except OSError as error:
                self._give_up(name, error)
        self._waiting.clear()

    def descriptors(self) -> list[int]:
        """Those of the files that nothing was written to yet."""
        return [output.descriptor for output, _ in self._waiting.values()]

    def handed_on(self) -> None:
        """Another process writes them."""
        for output, _ in self._waiting.values():
            os.close(output.descriptor)
        self._waiting.clear()

    def close(self) -> None:
        """Files of which nothing was told are left as they were."""
        for output, _ in self._waiting.values():
            output.abandon()
        self._waiting.clear()
        for name, sink in self._sinks:
            try:
                sink.close()
            except OSError as error:
                self._give_up(name, error)
        self._sinks = ()

    def _give_up(self, name: str, error: OSError) -> None:
        self.failed = True
        self._sinks = tuple(each for each in self._sinks if each[0] != name)
        left = "the trace ends here" if name.endswith(SUFFIXES) else "there is no report"
        self.lines.message(f"{name}: {error.strerror}; {left}")


class _TextFile:
    """The lines that a terminal gets, in a file."""

    def __init__(self, file: BinaryIO) -> None:
        from emu.observe.formats.text import TraceLines

        self._file = file
        self._lines = TraceLines(self._write)

    def __call__(self, record: AnyRecord) -> None:
        self._lines(record)

    def _write(self, line: str) -> None:
        self._file.write(f"{line}\n".encode())

    def close(self) -> None:
        self._file.close()


def _file_sink(name: str, file: BinaryIO) -> FileSink:
    match Path(name).suffix:
        case ".jsonl":
            from emu.observe.formats.jsonl import JsonLines

            return JsonLines(file)
        case ".txt":
            return _TextFile(file)
        case ".folded":
            from emu.observe.formats.folded import Folded

            return Folded(file)
        case _:
            from emu.observe.formats.perfetto import PerfettoTrace

            return PerfettoTrace(file)
