"""What the commands that record a run have in common: files to write, filters, the recorder."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeAlias

from emu.api import CannotRun
from emu.cli.guest_run import NotRun, run_session
from emu.cli.output import Lines
from emu.cli.outputs import Output
from emu.cli.progress import Progress

if TYPE_CHECKING:
    from emu.api import Session
    from emu.observe.filters import Filter
    from emu.observe.named_ranges import NamedRange
    from emu.observe.records import AnyRecord
    from emu.observe.report.hostfiles import HostFiles
    from emu.observe.wanted import Sink, Wanted
    from kernel.events import Observer

_BATCH = 128
"""Records."""
SUFFIXES = (".jsonl", ".perfetto-trace", ".folded", ".txt")


class FileSink(Protocol):
    """What writes a trace to a file."""

    def __call__(self, record: AnyRecord) -> None: ...

    def close(self) -> None: ...


_Make: TypeAlias = Callable[[BinaryIO], FileSink]


def add_filter_options(parser: argparse.ArgumentParser) -> None:
    """Which faults are told of."""
    group = parser.add_argument_group("which faults (each may be given several times)")
    group.add_argument("--pid", type=int, action="append", default=[], help="of this process")
    group.add_argument(
        "--outcome",
        type=_outcomes,
        action="extend",
        default=[],
        metavar="OUTCOME[,OUTCOME...]",
        help="such as copied or reused; table-unshared for those that copied a leaf table first",
    )
    group.add_argument(
        "--address",
        type=_place,
        action="append",
        default=[],
        metavar="START-END|SYMBOL[+LEN]",
        help="at an address of this range, such as 0x10000-0x20000, or at this address; or in what "
        "a symbol of PROG names, or in LEN bytes from there",
    )
    group.add_argument(
        "--function",
        dest="functions",
        action="append",
        default=[],
        metavar="NAME",
        help="by this function's code; * stands for anything",
    )


def filter_of(arguments: argparse.Namespace) -> Filter | None:
    """None when everything is wanted."""
    from emu.observe.filters import Filter

    chosen = Filter(
        frozenset(arguments.pid),
        frozenset(arguments.outcome),
        tuple(each for each in arguments.address if isinstance(each, tuple)),
        tuple(arguments.functions),
        tuple(each for each in arguments.address if not isinstance(each, tuple)),
    )
    return None if chosen == Filter() else chosen


def locator(chosen: Filter | None) -> list[Observer]:
    """Who finds the ranges that a filter names, to be told of the run before the recorder."""
    from emu.observe.named_ranges import Locator

    if chosen is None or not chosen.named:
        return []
    return [Locator(chosen.named, chosen.located.append, _refuse)]


def _refuse(reason: str) -> None:
    raise CannotRun(reason, 2)


def tell_hint(sink: Sink, lines: Lines) -> None:
    """After the run: says so when a filter wanted none of the faults there were."""
    from emu.observe.filters import Filtered

    if isinstance(sink, Filtered) and sink.hint:
        lines.message(sink.hint)


def _outcomes(text: str) -> list[str]:
    from emu.observe.outcomes import TABLE_UNSHARED
    from kernel.fault import Outcome

    names = [*(str(outcome) for outcome in Outcome), TABLE_UNSHARED]
    found = [re.sub("[- ]", "_", word.strip().lower()) for word in text.split(",")]
    wrong = next((word for word in found if word not in names), None)
    if wrong is not None:
        raise argparse.ArgumentTypeError(f"no outcome: {wrong!r} (there are {', '.join(names)})")
    return found


def _place(text: str) -> tuple[int, int] | NamedRange:
    from emu.observe.named_ranges import parse_named_range

    named = parse_named_range(text)
    return address_range(text) if named is None else named


def address_range(text: str) -> tuple[int, int]:
    """[start, end) from ``0x1000-0x2000``, or one address."""
    first, dash, last = text.partition("-")
    try:
        start = int(first, 0)
        end = int(last, 0) if dash else start + 1
    except ValueError:
        raise argparse.ArgumentTypeError(f"no range of addresses: {text!r}") from None
    if not 0 <= start < end <= 1 << 64:
        raise argparse.ArgumentTypeError(f"an empty range of addresses: {text!r}")
    return start, end


def trace_file(text: str) -> str:
    """A file's name whose suffix says what to write."""
    if not text.endswith(SUFFIXES):
        raise argparse.ArgumentTypeError(f"{text!r} does not end in {', '.join(SUFFIXES)}")
    return text


@dataclass(slots=True)
class Files:
    """The trace files of a run; one that can't be written any more is given up with a message.

    Records are written many at a time: Python's code for it is in the processor's caches then, and
    takes a third of the time that it takes between two stretches of the guest.
    """

    lines: Lines
    failed: bool = False
    """Whether a file was given up."""
    _waiting: dict[str, tuple[Output, _Make]] = field(default_factory=dict)
    _batch: list[AnyRecord] = field(default_factory=list)
    _sinks: tuple[tuple[str, FileSink], ...] = ()

    def add(self, name: str) -> None:
        """A trace. Raises :class:`NotRun` when it can't be opened."""
        self._add(name, lambda file: _file_sink(name, file))

    def add_report(self, name: str, files: HostFiles) -> None:
        """A report, with source text and code from ``files``. Raises :class:`NotRun`."""
        from emu.observe.report.sink import ReportFile

        self._add(name, lambda file: ReportFile(file, files))

    def _add(self, name: str, make: _Make) -> None:
        try:
            self._waiting[name] = Output(name), make
        except OSError as error:
            self.lines.message(f"{name}: {error.strerror}")
            raise NotRun(2) from None

    def __call__(self, record: AnyRecord) -> None:
        if self._waiting:
            self._begin()
        self._batch.append(record)
        if len(self._batch) >= _BATCH:
            self._write_batch()

    def _write_batch(self) -> None:
        batch, self._batch = self._batch, []
        for name, sink in self._sinks:
            try:
                for record in batch:
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

    def close(self) -> None:
        """Files of which nothing was told are left as they were."""
        for output, _ in self._waiting.values():
            output.abandon()
        self._waiting.clear()
        self._write_batch()
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
        from emu.observe.trace_lines import TraceLines

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
            from emu.observe.jsonl import JsonLines

            return JsonLines(file)
        case ".txt":
            return _TextFile(file)
        case ".folded":
            from emu.observe.folded import Folded

            return Folded(file)
        case _:
            from emu.observe.perfetto import PerfettoTrace

            return PerfettoTrace(file)


def record(
    session: Session,
    sinks: Sequence[Sink],
    lines: Lines,
    wanted: Wanted | None = None,
    observers: Sequence[Observer] = (),
    first: Sequence[Observer] = (),
) -> int:
    """Runs the session and tells ``sinks`` all about it; the exit status. Raises NotRun.

    ``first`` are told of each event before the sinks are. Of a program that can't be loaded the
    sinks are told nothing.
    """
    from emu.cli.when_loaded import WhenLoaded
    from emu.observe.recorder import Recorder

    progress = Progress(sys.stderr)
    tell = WhenLoaded(sinks, progress)
    recorder = Recorder(session.kernel, session.command, tell, wanted)
    recorder.begin()
    with progress:
        status = run_session(session, [*first, recorder, *observers], lines)
    recorder.finish(session.summary)
    return status
