"""``emu trace --insn`` and ``--around-faults``: the instructions themselves."""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Callable
from io import FileIO
from typing import TYPE_CHECKING

from emu.cli.support.filter_options import address_range, filter_of, locator, tell_hint
from emu.cli.support.guest_options import count
from emu.cli.support.guest_run import CommandFailed, open_session, run_session
from emu.cli.support.message_stream import Lines, Output
from emu.cli.support.recording import record
from emu.observe.formats.text import TraceLines
from emu.observe.instructions.around_faults import Window, window_lines
from emu.observe.model import records
from emu.observe.model.records import AnyRecord
from emu.observe.model.sink import Sink
from emu.observe.record.filters import Filter, FilteredSink
from emu.observe.walk.from_record import walk_lines

if TYPE_CHECKING:
    from emu.api import Session
    from emu.observe.instructions.range_trace import Span

_EVERYTHING = "all"
_SUFFIXES = (".txt", ".jsonl")


def add_instruction_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("instructions instead of faults")
    group.add_argument(
        "--insn",
        nargs="?",
        const=_EVERYTHING,
        metavar="RANGE",
        help="a line for each instruction: pc, text, the register that changed, the memory that "
        "it touched and its physical address; --insn=RANGE only for those of a function of PROG, "
        "or of START-END. To stderr, or with -o to one file (.txt or .jsonl)",
    )
    group.add_argument(
        "--around-faults",
        type=count,
        metavar="N",
        help="before each fault that is chosen the N instructions that led to it, as --insn has "
        "them but without physical addresses, at an eighth of the cost; ? for a value, or an "
        "address, that was loaded and written over before the next jump",
    )


def trace_instructions(arguments: argparse.Namespace, lines: Lines) -> int:
    """Runs the program; its status. Raises :class:`CommandFailed`."""
    wrong = _wrong_together(arguments)
    if wrong:
        return _usage(lines, f"{wrong} can't be had at once")
    if len(arguments.output) > 1 or not all(n.endswith(_SUFFIXES) for n in arguments.output):
        return _usage(lines, "instructions go to one file, .txt or .jsonl")
    if arguments.around_faults and any(n.endswith(".jsonl") for n in arguments.output):
        return _usage(lines, "--around-faults writes text: a .txt file")
    session = open_session(arguments, lines)
    with _Writer(arguments.output, lines) as write:
        if arguments.around_faults:
            status = _around_faults(session, arguments, write, lines)
        else:
            status = _every_instruction(session, arguments, write, lines)
    return 2 if write.failed else status


def _wrong_together(arguments: argparse.Namespace) -> str:
    """Options of which one would be ignored."""
    if arguments.insn is None:
        return "--around-faults and --calls" if arguments.calls else ""
    if arguments.around_faults:
        return "--insn and --around-faults"
    filters = {
        "--pid": arguments.pid,
        "--outcome": arguments.outcome,
        "--address": arguments.address,
        "--function": arguments.functions,
        "--calls": arguments.calls,
        "--walk": arguments.walk,
    }
    given = next((name for name, value in filters.items() if value), None)
    return f"--insn, whose RANGE says what is wanted, and {given}" if given else ""


def _usage(lines: Lines, message: str) -> int:
    lines.message(message)
    return 2


class _Writer:
    """Where whole lines go: stderr or the file. A full disk ends the trace, not the run.

    A context manager: an earlier file is kept when nothing was written, not even ``b""``.
    """

    def __init__(self, names: list[str], lines: Lines) -> None:
        self.failed = False
        self._lines = lines
        self._name = names[0] if names else ""
        self._output: Output | None = None
        self._file: FileIO | None = None
        try:
            if names:
                self._output = Output(self._name)
        except OSError as error:
            lines.message(f"{self._name}: {error.strerror}")
            raise CommandFailed(2) from None

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
                self._lines.plain(data.decode().removesuffix("\n"))
        elif not self.failed:
            try:
                self._write(data)
            except OSError as error:
                self.failed = True
                self._lines.message(f"{self._name}: {error.strerror}; the trace ends here")

    def _write(self, data: bytes) -> None:
        if self._output is not None:
            output, self._output = self._output, None
            self._file = FileIO(output.begin(), "w")
        assert self._file is not None
        while data:
            data = data[self._file.write(data) :]


def _every_instruction(
    session: Session, arguments: argparse.Namespace, write: Callable[[bytes], object], lines: Lines
) -> int:
    from emu.observe.instructions.formats import Form, JsonForm, TextForm
    from emu.observe.instructions.range_trace import SpanTrace

    as_json = any(name.endswith(".jsonl") for name in arguments.output)
    form: Form = JsonForm() if as_json else TextForm()
    trace = SpanTrace(session.kernel, _span(arguments.insn), write, form)
    try:
        return run_session(session, [trace], lines)
    finally:
        trace.close()
        if trace.began:
            write(b"")


def _span(text: str) -> Span | None:
    from emu.observe.instructions.range_trace import Span

    if text == _EVERYTHING:
        return None
    if not text[:1].isdigit():
        return Span(function=text)
    try:
        return Span(*address_range(text))
    except argparse.ArgumentTypeError:
        return Span(function=text)


def _around_faults(
    session: Session, arguments: argparse.Namespace, write: Callable[[bytes], object], lines: Lines
) -> int:
    from emu.cli.support.instruction_trace import Windows
    from emu.observe.instructions.around_faults import AroundFaults
    from emu.observe.model.sink import RecordingOptions

    chosen = filter_of(arguments)
    windows = Windows(write, chosen, walk=arguments.walk)
    around = AroundFaults(session.kernel, arguments.around_faults, windows.add)
    wanted = RecordingOptions(backtraces=0, samples=False)
    status = record(session, windows, lines, wanted, first=[*locator(chosen), around])
    lines.write_notes()
    tell_hint(windows.sink, lines)
    return status


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
        self.sink: Sink = self._tell if chosen is None else FilteredSink(self._tell, chosen)

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
