"""The trace files of a run; the suffix of a name selects the format."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeAlias

from emu.cli.support.message_stream import MessageStream, OutputFile

if TYPE_CHECKING:
    from emu.observe.model.records import AnyRecord
    from emu.observe.report.host_files import HostFiles

SUFFIXES = (".jsonl", ".perfetto-trace", ".folded", ".txt")


class FileSink(Protocol):
    """A sink that writes a trace to a file."""

    def __call__(self, record: AnyRecord) -> None: ...

    def close(self) -> None: ...


_MakeSink: TypeAlias = Callable[[BinaryIO], FileSink]


def trace_file(text: str) -> str:
    """The name of a trace file, which has one of ``SUFFIXES``; for argparse."""
    if not text.endswith(SUFFIXES):
        raise argparse.ArgumentTypeError(
            f"{text!r}: unknown file type (expected a name ending in {', '.join(SUFFIXES)})"
        )
    return text


@dataclass(slots=True)
class TraceFiles:
    """A sink for the trace files of a run; a file that cannot be written ends with a message."""

    messages: MessageStream
    failed: bool = False
    """True when writing a file has failed."""
    _pending: dict[str, tuple[OutputFile, _MakeSink]] = field(default_factory=dict)
    """Files to which nothing was written, with the functions that make their sinks."""
    _sinks: tuple[tuple[str, FileSink], ...] = ()

    def add(self, name: str) -> None:
        """Adds a trace. Raises OSError when it cannot be opened."""
        self._pending[name] = OutputFile(name), lambda file: _file_sink(name, file)

    def add_report(self, name: str, files: HostFiles) -> None:
        """Adds a report, with source text and code from ``files``. Raises OSError likewise."""
        from emu.observe.report.report_sink import ReportFile

        self._pending[name] = OutputFile(name), lambda file: ReportFile(file, files)

    def __call__(self, record: AnyRecord) -> None:
        if self._pending:
            self._begin()
        for name, sink in self._sinks:
            try:
                sink(record)
            except OSError as error:
                self._drop(name, error)

    def _begin(self) -> None:
        for name, (output, make_sink) in self._pending.items():
            try:
                self._sinks = (*self._sinks, (name, make_sink(os.fdopen(output.begin(), "wb"))))
            except OSError as error:
                self._drop(name, error)
        self._pending.clear()

    def descriptors(self) -> list[int]:
        """Descriptors of the files to which nothing was written."""
        return [output.descriptor for output, _ in self._pending.values()]

    def hand_over(self) -> None:
        """Closes the files in this process: another one writes them."""
        for output, _ in self._pending.values():
            os.close(output.descriptor)
        self._pending.clear()

    def close(self) -> None:
        """Ends all files; those without a record are left as they were."""
        for output, _ in self._pending.values():
            output.abandon()
        self._pending.clear()
        for name, sink in self._sinks:
            try:
                sink.close()
            except OSError as error:
                self._drop(name, error)
        self._sinks = ()

    def _drop(self, name: str, error: OSError) -> None:
        self.failed = True
        self._sinks = tuple(each for each in self._sinks if each[0] != name)
        is_trace = name.endswith(SUFFIXES)
        consequence = "the trace ends here" if is_trace else "no report was written"
        self.messages.message(f"{name}: {error.strerror}; {consequence}")


class _TextFile:
    """Text file with the lines that emu trace prints on a terminal."""

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
    match os.path.splitext(name)[1]:
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
