"""Recording a run: the machine tells facts, and what is made of them goes to whoever wants it."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from emu.cli.support.filter_options import locator, tell_hint
from emu.cli.support.guest_run import DEFECT_STATUS, CommandFailed, run_session, tell_defect
from emu.cli.support.message_stream import Lines
from emu.cli.support.progress import Progress
from emu.cli.support.trace_files import Files
from emu.host.child_processes import has_threads
from emu.observe.model import records
from emu.observe.model.records import AnyRecord
from emu.observe.model.sink import Sink

if TYPE_CHECKING:
    from emu.api import Session
    from emu.observe.model.raw_events import EventReceiver, RawEvent
    from emu.observe.model.sink import RecordingOptions, Sink
    from emu.observe.record.filters import Filter
    from emu.observe.record.writer_process import TraceWriterProcess
    from kernel.process.observer import Observer

_FAILED = 2
"""A file could not be written, and that was told."""


def record(
    session: Session,
    sink: Sink,
    lines: Lines,
    wanted: RecordingOptions | None = None,
    first: Sequence[Observer] = (),
) -> int:
    """Runs the session and tells ``sink`` all about it, as it happens; the exit status.

    ``first`` are told of each event before the sink is. Of a program that can't be loaded the sink
    is told nothing. Raises :class:`CommandFailed`.
    """
    from emu.cli.support.recording import WhenLoaded
    from emu.observe.model.sink import RecordingOptions
    from emu.observe.record.record_builder import RecordBuilder

    wanted = wanted or RecordingOptions()
    builder = RecordBuilder(WhenLoaded(sink), wanted.backtraces)
    return _run(session, builder, lines, wanted, (first, ()))


def record_to_files(
    session: Session,
    files: Files,
    lines: Lines,
    wanted: RecordingOptions | None = None,
    chosen: Filter | None = None,
    observers: Sequence[Observer] = (),
) -> int:
    """The same to the files of a trace, which are closed then; of faults only those ``chosen``.

    They are written by a process of their own, so the program waits for little more than the facts.
    Where no process is to be had, this one writes them.
    """
    from emu.observe.model.raw_events import RangeResolved
    from emu.observe.model.sink import RecordingOptions

    wanted = wanted or RecordingOptions()
    writer = _writer(files, lines, lambda: _Writing(files, lines, wanted.backtraces, chosen))
    first = locator(chosen, lambda found: writer.receive(RangeResolved(*found)))
    try:
        return _run(session, writer, lines, wanted, (first, observers))
    finally:
        _close(writer, files, lines, session)
        lines.write_notes()


def _run(
    session: Session,
    receiver: EventReceiver,
    lines: Lines,
    wanted: RecordingOptions,
    others: tuple[Sequence[Observer], Sequence[Observer]],
) -> int:
    """``others`` are told of each event before the recorder is, and after it."""
    from emu.cli.support.missing_debug_files import MissingDebugFiles
    from emu.observe.record.recorder import Recorder

    missing = MissingDebugFiles(lines)
    first, last = others
    recorder = Recorder(session.kernel, session.command, receiver, wanted)
    recorder.debug_files.tell_missing = missing.tell
    recorder.begin()
    with Progress(sys.stderr, lambda: recorder.seq):
        status = run_session(session, [*first, missing, recorder, *last], lines)
    recorder.finish(session.summary)
    return status


class _Writing:
    """Makes a trace of facts, and writes it to files. It ends with a status, as a command does."""

    def __init__(self, files: Files, lines: Lines, depth: int, chosen: Filter | None) -> None:
        from emu.cli.support.recording import WhenLoaded
        from emu.observe.record.filters import FilteredSink
        from emu.observe.record.record_builder import RecordBuilder

        self._files = files
        self._lines = lines
        self._sink: Sink = files if chosen is None else FilteredSink(files, chosen)
        on_range = None if chosen is None else chosen.resolved.append
        builder = RecordBuilder(WhenLoaded(self._sink), depth, on_range)
        self.receive, self.store_stack = builder.receive, builder.store_stack

    gave_up = False

    def close(self, _hurried: Callable[[], bool]) -> int:
        self._files.close()
        tell_hint(self._sink, self._lines)
        return _FAILED if self._files.failed else 0


def _writer(
    files: Files, lines: Lines, make: Callable[[], _Writing]
) -> TraceWriterProcess | _Writing:
    from emu.observe.record.writer_process import TraceWriterProcess

    def serve(facts: Iterable[RawEvent]) -> int:
        try:
            writing = make()
            for fact in facts:
                writing.receive(fact)
            return writing.close(lambda: False)
        except Exception:
            tell_defect(lines, traceback.format_exc())
            return DEFECT_STATUS

    if has_threads():  # only threads of a caller in this process: see fork(2)
        return make()
    try:
        aside = TraceWriterProcess(serve, files.descriptors())
    except OSError:
        return make()
    files.handed_on()
    return aside


def _close(
    writer: TraceWriterProcess | _Writing, files: Files, lines: Lines, session: Session
) -> None:
    status = writer.close(lambda: session.is_over)
    if writer.gave_up:
        lines.message("trace incomplete: writing to its file failed or blocked")
    elif status > 128:
        lines.message(f"the process that writes the trace was killed by signal {status - 128}")
    elif status not in (0, _FAILED, DEFECT_STATUS):
        lines.message(f"the process that writes the trace ended with status {status}")
    files.failed = status != 0
    if status == DEFECT_STATUS:
        raise CommandFailed(DEFECT_STATUS)


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
