"""A separate process that builds and writes the trace.

Building a record takes several times as long as gathering its raw event, and the guest waits only
for the latter. Events are sent through a pipe in batches: building records takes a third of the
time then, since Python's code for it stays in the CPU's caches. Rows of faults and stacks, which
are most of the bytes, are passed in shared memory, with a part for each batch that the writer has
not finished. Low parts are used again first, for the caches. The machine waits when none is free,
which is while the writer reads a large program's symbols.
"""

from __future__ import annotations

import fcntl
import gc
import mmap
import os
import select
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from types import FrameType
from typing import NamedTuple, NoReturn

from emu.host.child_processes import end_with, is_stuck
from emu.observe.model.fault_row import WORD, RowReader
from emu.observe.model.raw_events import (
    Fault,
    FaultDetails,
    RangeDefined,
    RawEvent,
    RecordEvent,
    Rows,
    SharedSlice,
    decoder,
    encoder,
    start_of,
)
from emu.observe.model.row_buffer import RowBuffer
from emu.observe.unwind.known_backtraces import KnownBacktraces

_BATCHES = 128
_BATCH_BYTES = 1 << 16
"""Bytes of events in a batch."""
_PART_WORDS = 1 << 14
"""Words of shared memory for the rows and the stacks of a batch."""
_PIPE_BYTES = 1 << 20
_UNSENT_BYTES = 1 << 26
"""Maximum number of bytes that wait for the writer, which are those of files with code."""
_SIZE_BYTES = 8
_HEADER_BYTES = _SIZE_BYTES + 1
"""Bytes of a batch's header: the size of its events, and the number of its part."""
_POLL_MS = 250
_STUCK_CHECKS = 8
"""Consecutive checks that find the writer blocked before it is considered stuck."""
_GRACE_SECONDS = 5
"""Seconds that the writer may run after the machine was killed."""
_SET_PIPE_SIZE = 1031
"""F_SETPIPE_SZ of fcntl(2), specific to Linux."""
_IGNORED_SIGNALS = (
    *(signal.SIGINT, signal.SIGQUIT, signal.SIGTERM),
    *(signal.SIGHUP, signal.SIGTSTP),
)
"""Signals that a terminal sends to both processes; the writer ends when the machine does."""

Serve = Callable[[Iterator[RawEvent | Fault]], int]


class TraceWriterProcess:
    """Runs ``serve`` on the events in a child process, which has only ``open_fds`` open.

    ``known_backtraces`` are those that ``serve`` has added to memory that both share.
    The value that ``serve`` returns is the child's exit status. Raises OSError when fork(2) fails.
    ``close`` must be called. Events for a child that has died are dropped.
    """

    def __init__(
        self,
        serve: Serve,
        open_fds: Iterable[int],
        known_backtraces: KnownBacktraces | None = None,
    ) -> None:
        self.gave_up = False
        """True when the writer was ended because its files accepted no data."""
        self._is_urgent: Callable[[], bool] = lambda: False
        self.known_backtraces = known_backtraces
        self._encode = encoder()
        self._events = bytearray()
        self._count = 0
        shared = mmap.mmap(-1, _BATCHES * _PART_WORDS * WORD)
        self._bytes = memoryview(shared)
        self.rows = RowBuffer(self._bytes.cast("Q"), on_full=self._flush)
        self._free = list(range(_BATCHES))
        self._start_part()
        self._unsent: deque[memoryview] = deque()
        ends = _Ends(*os.pipe(), *os.pipe())
        try:
            parent = os.getpid()
            self._pid = _fork()
        except OSError:
            for fd in ends:
                os.close(fd)
            raise
        if self._pid == 0:
            _finish_after_parent(parent)
            _run(serve, shared, ends, {2, *open_fds})
        os.close(ends.events_read)
        os.close(ends.done_write)
        self._pipe, self._done = ends.events_write, ends.done_read
        os.set_blocking(self._pipe, False)
        os.set_blocking(self._done, False)
        self._alive = True
        with suppress(OSError):  # not Linux, or the user's limit for pipes is reached
            fcntl.fcntl(self._pipe, _SET_PIPE_SIZE, _PIPE_BYTES)

    def _start_part(self) -> None:
        self._free.sort(reverse=True)
        self._part = self._free.pop()
        self.rows.at = self._part * _PART_WORDS
        self.rows.end = self.rows.at + _PART_WORDS

    def receive(self, event: RawEvent) -> None:
        try:
            if self.rows.number:
                self._note_rows()
            self._encode(event, self._events, -1)
            self._count += 1
            full = len(self._events) >= _BATCH_BYTES or not self.rows.has_room()
            if full and isinstance(event, RecordEvent):  # not between a stack and its event
                self._send()
        except BaseException:  # interrupted: part of an event or batch may be lost
            self._alive = False
            raise

    def store_stack(self, parts: list[memoryview]) -> bytes | SharedSlice:
        if self.rows.number:
            self._note_rows()
        first = at = self.rows.at * WORD
        for part in parts:
            end = at + len(part)
            if end > self.rows.end * WORD:
                return b"".join(parts)
            self._bytes[at:end] = part
            at = end
        self.rows.at = -(-at // WORD)
        return SharedSlice(first, at)

    def _note_rows(self) -> None:
        """Adds the rows that were written since the last event."""
        self._encode(Rows(self.rows.first, self.rows.number), self._events, -1)
        self._count += 1
        self.rows.number = 0

    def _flush(self) -> None:
        try:
            self._send()
        except BaseException:
            self._alive = False
            raise

    def _send(self) -> None:
        if self.rows.number:
            self._note_rows()
        start, events = start_of(self._count), self._events
        self._events, self._count = bytearray(), 0
        size = (len(start) + len(events)).to_bytes(_SIZE_BYTES, "little")
        self._unsent += memoryview(size + bytes([self._part]) + start), memoryview(events)
        self._write_some()
        self._take_finished()
        while self._alive and (not self._free or self._is_far_behind()):
            self._wait_for_writer()
        if not self._free:  # the writer has ended, and all parts are free
            self._free = list(range(_BATCHES))
        self._start_part()

    def _is_far_behind(self) -> bool:
        return sum(map(len, self._unsent)) > _UNSENT_BYTES

    def _wait_for_writer(self) -> None:
        """Waits until the writer takes bytes or finishes a batch."""
        if self._unsent:
            self._wait_for(self._pipe, select.POLLOUT)
            self._write_some()
        else:
            self._wait_for(self._done, select.POLLIN)
        self._take_finished()

    def _write_some(self) -> None:
        """Writes what the pipe accepts: the machine does not wait for the writer to read it."""
        unsent = self._unsent
        try:
            while unsent and self._alive:
                rest = unsent[0][os.write(self._pipe, unsent[0]) :]
                if rest:
                    unsent[0] = rest
                else:
                    unsent.popleft()
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self._alive = False

    def _take_finished(self) -> None:
        """Takes back the parts of the batches that the writer has finished."""
        with suppress(BlockingIOError):
            finished = os.read(self._done, _BATCHES)
            self._free += finished
            if self.known_backtraces is not None:
                self.known_backtraces.learn()
            self._alive = self._alive and bool(finished)

    def close(
        self,
        is_urgent: Callable[[], bool] = lambda: False,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> int:
        """Waits for the writer; returns its exit status, or the shell's if a signal killed it.

        A writer that makes no progress is ended once ``is_urgent`` returns true. ``meanwhile`` is
        called when the writer has all that it needs for the rest of its work.
        """
        self._is_urgent = is_urgent
        try:
            if self._count or self.rows.number:
                self._send()
            while self._unsent and self._alive:
                self._wait_for_writer()
            os.close(self._pipe)
            meanwhile()
            self._await_end()
        except BaseException:  # interrupted; the pid is not reused before waitpid
            os.kill(self._pid, signal.SIGKILL)
            raise
        finally:
            os.close(self._done)
            _, status = os.waitpid(self._pid, 0)
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else 128 - code

    def _await_end(self) -> None:
        """Waits until the writer has closed all its descriptors, which it does on exit."""
        while True:
            self._wait_for(self._done, select.POLLIN)
            with suppress(BlockingIOError):
                if not os.read(self._done, _BATCHES):
                    return

    def _wait_for(self, fd: int, event: int) -> None:
        """Waits until ``fd`` is ready or the writer ends; kills a writer that is stuck."""
        poll = select.poll()
        poll.register(fd, event)
        state, checks = "", 0
        while not poll.poll(_POLL_MS):
            stuck, state = is_stuck(self._pid, state)
            checks = checks + 1 if stuck and self._is_urgent() else 0
            if checks >= _STUCK_CHECKS:
                self.gave_up = True
                os.kill(self._pid, signal.SIGKILL)


class _Ends(NamedTuple):
    """Descriptors of a pipe for events, and of one that carries a byte for each finished batch."""

    events_read: int
    events_write: int
    done_read: int
    done_write: int


def _fork() -> int:
    """Forks; the child ignores the signals meant for the machine."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _IGNORED_SIGNALS)
    try:
        pid = os.fork()
        if pid == 0:
            for number in _IGNORED_SIGNALS:
                signal.signal(number, signal.SIG_IGN)
        return pid
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _finish_after_parent(parent: int) -> None:
    """Lets the writer finish the trace of a machine that was killed, but within a time limit."""

    def soon(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(_GRACE_SECONDS)

    signal.signal(signal.SIGALRM, soon)
    end_with(parent, signal.SIGALRM)


def _run(serve: Serve, stacks: mmap.mmap, ends: _Ends, open_fds: set[int]) -> NoReturn:
    status = 1
    try:
        gc.freeze()
        _close_all_but({ends.events_read, ends.done_write, *open_fds})
        status = serve(_events(ends, stacks))
    finally:
        os._exit(status)


def _close_all_but(open_fds: set[int]) -> None:
    """Closes all other descriptors: the guest's files and the other ends of pipes.

    Descriptors 0 and 1 are replaced by /dev/null.
    """
    first = 0
    for fd in sorted(open_fds):
        os.closerange(first, fd)
        first = fd + 1
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))
    for _ in {0, 1} - open_fds:
        os.open(os.devnull, os.O_RDWR)  # it gets the lowest number that is free


def _events(ends: _Ends, stacks: mmap.mmap) -> Iterator[RawEvent | Fault]:
    """Yields the events up to the last complete batch; the machine may have been killed."""
    decode, rows, shared = decoder(), RowReader(), memoryview(stacks)
    with open(ends.events_read, "rb", buffering=_PIPE_BYTES) as pipe:
        while header := pipe.read(_HEADER_BYTES):
            size = int.from_bytes(header[:_SIZE_BYTES], "little")
            data = pipe.read(size)
            if len(header) < _HEADER_BYTES or len(data) < size:
                return
            for event in decode(data):
                if isinstance(event, Rows):
                    yield from rows.read_all(shared, event)
                elif isinstance(event, RangeDefined | FaultDetails):
                    rows.note(event)
                else:
                    yield _with_stack(event, stacks)
            with suppress(BrokenPipeError):  # the machine has ended
                os.write(ends.done_write, header[_SIZE_BYTES:])


def _with_stack(event: RawEvent, stacks: mmap.mmap) -> RawEvent:
    where = event.where if isinstance(event, RecordEvent) else None
    if where is not None and isinstance(where.stack, SharedSlice):
        where.stack = stacks[where.stack.start : where.stack.end]
    return event
