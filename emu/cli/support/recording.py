"""Records a run: converts the machine's raw events to records, here or in a writer process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from emu.cli.support.filter_options import range_locators, report_filter_hint
from emu.cli.support.message_stream import MessageStream
from emu.cli.support.progress import Progress
from emu.cli.support.trace_files import TraceFiles
from emu.errors import DEFECT_STATUS
from emu.host.child_processes import has_threads

if TYPE_CHECKING:
    from emu.observe.model.raw_events import Fault, RawEvent
    from emu.observe.model.records import AnyRecord
    from emu.observe.model.sink import RecordingOptions, Sink
    from emu.observe.record.filters import Filter
    from emu.observe.record.row_receiver import RowReceiver
    from emu.observe.record.writer_process import TraceWriterProcess
    from emu.observe.unwind.known_backtraces import BacktraceLog
    from emu.session import Session
    from kernel.process.observer import Observer

_FAILED = 2
"""Exit status of a writer that could not write a file and has printed a message."""


def record(
    session: Session,
    sink: Sink,
    messages: MessageStream,
    options: RecordingOptions | None = None,
    first: Sequence[Observer] = (),
) -> int:
    """Runs the session and passes its records to ``sink`` as they occur; returns the exit status.

    ``first`` receive each event before the sink. The sink gets no records of a program that cannot
    be loaded. Raises :class:`CommandError`.
    """
    from emu.observe.model.sink import RecordingOptions
    from emu.observe.record.record_builder import RecordBuilder

    options = options or RecordingOptions()
    builder = RecordBuilder(BufferUntilLoaded(sink), options.backtraces)
    return _run(session, builder, messages, options, (first, ()))


def record_to_files(
    open_session: Callable[[], Session],
    files: TraceFiles,
    messages: MessageStream,
    options: RecordingOptions | None = None,
    fault_filter: Filter | None = None,
    observers: Sequence[Observer] = (),
) -> int:
    """Opens a session, runs it and writes its records to ``files``, which it closes.

    A separate process builds and writes the records, so the program waits for little more than the
    raw events; if none can be created, this one does. It is created before the session: whatever
    this process writes to afterwards, reference counts of objects among it, would be copied first.
    ``files.failed`` is set after a write error, unless the user has ended the run.
    """
    from emu.observe.model.raw_events import RangeResolved
    from emu.observe.model.sink import RecordingOptions

    options = options or RecordingOptions()
    writer = _open_writer(
        files,
        messages,
        lambda log: _FileWriter(files, messages, (options.backtraces, log), fault_filter),
    )
    first = range_locators(fault_filter, lambda found: writer.receive(RangeResolved(*found)))
    writer_status, session = 0, None
    try:
        session = open_session()
        status = _run(session, writer, messages, options, (first, observers))
    finally:
        writer_status = _close(writer, messages, session)
        failed = writer_status not in (0, DEFECT_STATUS)
        files.failed = failed and session is not None and not session.stopped
        messages.write_notes()
    return DEFECT_STATUS if writer_status == DEFECT_STATUS else status


def _run(
    session: Session,
    receiver: RowReceiver,
    messages: MessageStream,
    options: RecordingOptions,
    others: tuple[Sequence[Observer], Sequence[Observer]],
) -> int:
    """Runs the session; ``others`` receive each event before and after the recorder."""
    from emu.cli.support.guest_run import run_session
    from emu.cli.support.missing_debug_files import MissingDebugFiles
    from emu.observe.record.recorder import Recorder

    missing = MissingDebugFiles(messages)
    first, last = others
    recorder = Recorder(session.kernel, session.command, receiver, options)
    recorder.debug_files.report_missing = missing.add
    recorder.begin()
    with Progress(sys.stderr, lambda: recorder.seq):
        status = run_session(session, [*first, missing, recorder, *last], messages)
    recorder.finish(session.summary)
    return status


class _FileWriter:
    """Builds records from raw events and writes them to files; ``close`` returns a status."""

    gave_up = False

    def __init__(
        self,
        files: TraceFiles,
        messages: MessageStream,
        backtraces: tuple[int, BacktraceLog | None],
        fault_filter: Filter | None,
    ) -> None:
        from emu.observe.model.raw_events import Fault
        from emu.observe.record.record_builder import RecordBuilder

        self._files = files
        self._messages = messages
        self._sink: Sink = files if fault_filter is None else _filtered(files, fault_filter)
        located = None if fault_filter is None else fault_filter.resolved.append
        depth, log = backtraces
        builder = RecordBuilder(BufferUntilLoaded(self._sink), depth, located, log)
        self._builder = builder
        self._fault = Fault
        self.receive, self.store_stack = builder.receive, builder.store_stack
        self.rows = builder.rows
        self.known_backtraces = None

    def take(self, event: RawEvent | Fault) -> None:
        """Takes an event of another process, which may be a fault that was read from its row."""
        if isinstance(event, self._fault):
            self._builder.fault(event)
        else:
            self._builder.receive(event)

    def close(self, *_callbacks: Callable[[], object]) -> int:
        self._files.close()
        report_filter_hint(self._sink, self._messages)
        return _FAILED if self._files.failed else 0


def _filtered(sink: Sink, fault_filter: Filter) -> Sink:
    from emu.observe.record.filters import FilteredSink

    return FilteredSink(sink, fault_filter)


def _open_writer(
    files: TraceFiles,
    messages: MessageStream,
    make: Callable[[BacktraceLog | None], _FileWriter],
) -> TraceWriterProcess | _FileWriter:
    from emu.observe.record.writer_process import TraceWriterProcess
    from emu.observe.unwind.known_backtraces import BacktraceLog, KnownBacktraces, shared_memory

    memory = shared_memory()
    undestroyed: list[_FileWriter] = []

    def serve(events: Iterable[RawEvent | Fault]) -> int:
        try:
            writer = make(BacktraceLog(memory))
            undestroyed.append(
                writer
            )  # the process ends sooner than its objects could be destroyed
            for event in events:
                writer.take(event)
            return writer.close()
        except Exception:
            from emu.cli.support.guest_run import report_defect

            report_defect(messages)
            return DEFECT_STATUS

    if has_threads():  # only threads of a caller in this process: see fork(2)
        return make(None)
    try:
        process = TraceWriterProcess(serve, files.descriptors(), KnownBacktraces(memory))
    except OSError:
        return make(None)
    files.hand_over()
    return process


def _close(
    writer: TraceWriterProcess | _FileWriter, messages: MessageStream, session: Session | None
) -> int:
    """Waits for the writer; returns its exit status."""
    if session is None:  # it could not be opened
        return writer.close(lambda: True)
    status = writer.close(lambda: session.is_over, session.kernel.ram.discard_all)
    if writer.gave_up:
        messages.message("trace incomplete: writing to its file failed or blocked")
    elif status > 128:
        messages.message(f"the process that writes the trace was killed by signal {status - 128}")
    elif status not in (0, _FAILED, DEFECT_STATUS):
        messages.message(f"the process that writes the trace ended with status {status}")
    return status


class BufferUntilLoaded:
    """A sink that buffers records until the first program is loaded, then passes all on."""

    def __init__(self, sink: Sink) -> None:
        from emu.observe.model.records import Exec

        self._sink = sink
        self._loaded = Exec
        self._buffer: list[AnyRecord] | None = []

    def __call__(self, record: AnyRecord) -> None:
        buffer = self._buffer
        if buffer is None:
            self._sink(record)
            return
        buffer.append(record)
        if isinstance(record, self._loaded):
            self._buffer = None
            for each in buffer:
                self._sink(each)
