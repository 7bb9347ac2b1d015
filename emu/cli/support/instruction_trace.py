"""``emu trace --insn`` and ``--around-faults``: traces of instructions."""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Callable
from io import FileIO
from typing import TYPE_CHECKING, TypeAlias

from emu.cli.support.filter_options import (
    EVERYTHING,
    address_range,
    build_filter,
    range_locators,
    report_filter_hint,
)
from emu.cli.support.guest_run import open_session, run_session
from emu.cli.support.message_stream import MessageStream, OutputFile
from emu.cli.support.recording import record
from emu.errors import CommandError
from emu.observe.formats.text import TraceLines
from emu.observe.instructions.around_faults import Window, window_lines
from emu.observe.model import records
from emu.observe.model.records import AnyRecord
from emu.observe.model.sink import Sink
from emu.observe.record.filters import Filter, FilteredSink
from emu.observe.walk.from_record import walk_lines

if TYPE_CHECKING:
    from emu.observe.instructions.range_trace import AddressRange
    from emu.session import Session

_Write: TypeAlias = Callable[[bytes], object]
_SUFFIXES = (".txt", ".jsonl")


def trace_instructions(arguments: argparse.Namespace, messages: MessageStream) -> int:
    """Runs the program; returns its status. Raises :class:`CommandError`."""
    _check_options(arguments)
    session = open_session(arguments, messages)
    with _Writer(arguments.output, messages) as write:
        if arguments.around_faults:
            status = _around_faults(session, arguments, write, messages)
        else:
            status = _every_instruction(session, arguments, write, messages)
    return 2 if write.failed else status


def _check_options(arguments: argparse.Namespace) -> None:
    """Raises :class:`CommandError` for options of which one would be ignored."""
    names = arguments.output
    if len(names) > 1 or not all(name.endswith(_SUFFIXES) for name in names):
        raise CommandError("-o: instructions are written to one file (expected .txt or .jsonl)")
    if arguments.insn is None:
        if arguments.calls:
            raise CommandError("--around-faults: not allowed with --calls")
        if any(name.endswith(".jsonl") for name in names):
            raise CommandError(f"{names[0]}: --around-faults writes text (expected a .txt file)")
        return
    if arguments.around_faults:
        raise CommandError("--insn: not allowed with --around-faults")
    filters = {
        "--pid": arguments.pid,
        "--outcome": arguments.outcome,
        "--address": arguments.address,
        "--function": arguments.functions,
        "--calls": arguments.calls,
        "--walk": arguments.walk,
    }
    given = next((name for name, value in filters.items() if value), None)
    if given is not None:
        raise CommandError(f"--insn: not allowed with {given} (--insn=RANGE selects instructions)")


class _Writer:
    """Writes whole lines to stderr or a file. A write error ends the trace, not the run.

    A context manager that keeps an existing file when nothing was written, not even ``b""``.
    """

    def __init__(self, names: list[str], messages: MessageStream) -> None:
        self.failed = False
        self._messages = messages
        self._name = names[0] if names else ""
        self._output = OutputFile(self._name) if names else None
        self._file: FileIO | None = None

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._output is not None:
            self._output.abandon()
        if self._file is not None:
            self._file.close()

    def __call__(self, data: bytes) -> None:
        if not self._name:
            if data:
                self._messages.write(data.decode().removesuffix("\n"))
        elif not self.failed:
            try:
                self._write(data)
            except OSError as error:
                self.failed = True
                self._messages.message(f"{self._name}: {error.strerror}; the trace ends here")

    def _write(self, data: bytes) -> None:
        if self._output is not None:
            output, self._output = self._output, None
            self._file = FileIO(output.begin(), "w")
        assert self._file is not None
        while data:
            data = data[self._file.write(data) :]


def _every_instruction(
    session: Session,
    arguments: argparse.Namespace,
    write: _Write,
    messages: MessageStream,
) -> int:
    from emu.observe.instructions.formats import JsonFormat, LineFormat, TextFormat
    from emu.observe.instructions.range_trace import RangeTrace

    as_json = any(name.endswith(".jsonl") for name in arguments.output)
    form: LineFormat = JsonFormat() if as_json else TextFormat()
    trace = RangeTrace(session.kernel, _span(arguments.insn), write, form)
    try:
        return run_session(session, [trace], messages)
    finally:
        trace.close()
        if trace.has_started:
            write(b"")


def _span(text: str) -> AddressRange | None:
    from emu.observe.instructions.range_trace import AddressRange

    if text == EVERYTHING:
        return None
    if not text[:1].isdigit():
        return AddressRange(function=text)
    try:
        return AddressRange(*address_range(text))
    except argparse.ArgumentTypeError:
        return AddressRange(function=text)


def _around_faults(
    session: Session,
    arguments: argparse.Namespace,
    write: _Write,
    messages: MessageStream,
) -> int:
    from emu.observe.instructions.around_faults import AroundFaults
    from emu.observe.model.sink import RecordingOptions

    fault_filter = build_filter(arguments)
    windows = _WindowSink(write, fault_filter, walk=arguments.walk)
    around = AroundFaults(session.kernel, arguments.around_faults, windows.add)
    options = RecordingOptions(backtraces=0, samples=False)
    first = [*range_locators(fault_filter), around]
    status = record(session, windows, messages, options, first=first)
    messages.write_notes()
    report_filter_hint(windows.sink, messages)
    return status


class _WindowSink:
    """A sink that writes each selected fault after the window of instructions that led to it."""

    def __init__(self, write: _Write, fault_filter: Filter | None, *, walk: bool) -> None:
        self._write = write
        self._lines: list[str] = []
        self._fault = TraceLines(self._lines.append, walk=walk_lines if walk else None)
        self._pending: deque[Window] = deque()
        """Windows whose fault records have not arrived."""
        self._window: Window
        self.sink: Sink = (
            self._write_fault
            if fault_filter is None
            else FilteredSink(self._write_fault, fault_filter)
        )

    def add(self, window: Window) -> None:
        self._pending.append(window)

    def __call__(self, record: AnyRecord) -> None:
        if isinstance(record, records.Fault):
            self._window = self._pending.popleft()
        if isinstance(record, records.Fault | records.End):
            self.sink(record)

    def _write_fault(self, record: AnyRecord) -> None:
        if not isinstance(record, records.Fault):
            return
        self._lines.clear()
        self._fault(record)
        text = "".join(f"{line}\n" for line in [*window_lines(self._window), *self._lines, ""])
        self._write(text.encode())
