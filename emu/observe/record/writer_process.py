"""A separate process that builds and writes the trace.

Building a record takes several times as long as gathering its raw event, and the guest waits only
for the latter. Events are sent through a pipe in batches: building records takes a third of the
time then, since Python's code for it stays in the CPU's caches. Stacks, which are most of the
bytes, are passed in shared memory, a quarter of it for each of the last four batches; the machine
waits when it is four batches ahead.
"""

from __future__ import annotations

import fcntl
import gc
import mmap
import os
import select
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from types import FrameType
from typing import NamedTuple, NoReturn

from emu.host.child_processes import end_with, is_stuck
from emu.observe.model.raw_events import Fault as FaultEvent
from emu.observe.model.raw_events import (
    RawEvent,
    RecordEvent,
    SharedSlice,
    decoder,
    encoder,
    start_of,
)

_BATCHES = 4
_BATCH_BYTES = 1 << 16
"""Bytes of events in a batch."""
_STACK_BYTES = 1 << 19
"""Bytes of shared memory for the stacks of a batch."""
_STACK_LIMIT = _STACK_BYTES - (1 << 15)
_PIPE_BYTES = 1 << 20
_HEADER_BYTES = 8
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

Serve = Callable[[Iterator[RawEvent]], int]


class TraceWriterProcess:
    """Runs ``serve`` on the events in a child process, which has only ``open_fds`` open.

    The value that ``serve`` returns is the child's exit status. Raises OSError when fork(2) fails.
    ``close`` must be called. Events for a child that has died are dropped.
    """

    def __init__(self, serve: Serve, open_fds: Iterable[int]) -> None:
        self.gave_up = False
        """True when the writer was ended because its files accepted no data."""
        self._is_urgent: Callable[[], bool] = lambda: False
        self._encode = encoder()
        self._events = bytearray()
        self._count = 0
        shared = mmap.mmap(-1, _BATCHES * _STACK_BYTES)
        self._stacks = memoryview(shared)
        self._batch = self._pending_batches = self._used = 0
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
        self._alive = True
        with suppress(OSError):  # not Linux, or the user's limit for pipes is reached
            fcntl.fcntl(self._pipe, _SET_PIPE_SIZE, _PIPE_BYTES)

    def receive(self, event: RawEvent) -> None:
        try:
            self._encode(event, self._events, -1)
            self._count += 1
            full = len(self._events) >= _BATCH_BYTES or self._used >= _STACK_LIMIT
            if full and isinstance(
                event, FaultEvent | RecordEvent
            ):  # not between a stack and its event
                self._send()
        except BaseException:  # interrupted: part of an event or batch may be lost
            self._alive = False
            raise

    def store_stack(self, parts: list[memoryview]) -> bytes | SharedSlice:
        first = at = self._batch * _STACK_BYTES + self._used
        for part in parts:
            end = at + len(part)
            if end > (self._batch + 1) * _STACK_BYTES:
                return b"".join(parts)
            self._stacks[at:end] = part
            at = end
        self._used += at - first
        return SharedSlice(first, at)

    def _send(self) -> None:
        start, events = start_of(self._count), self._events
        self._events, self._count = bytearray(), 0
        size = (len(start) + len(events)).to_bytes(_HEADER_BYTES, "little")
        try:
            for part in (size + start, events):
                rest = memoryview(part)
                while rest and self._alive:
                    self._wait_for(self._pipe, select.POLLOUT)
                    with suppress(BlockingIOError):
                        rest = rest[os.write(self._pipe, rest) :]
        except BrokenPipeError:
            self._alive = False
        self._pending_batches += 1
        while self._pending_batches == _BATCHES and self._alive:
            self._wait_for(self._done, select.POLLIN)
            done = len(os.read(self._done, _BATCHES))
            self._pending_batches -= done
            self._alive = done > 0
        self._batch, self._used = (self._batch + 1) % _BATCHES, 0

    def close(self, is_urgent: Callable[[], bool] = lambda: False) -> int:
        """Waits for the writer; returns its exit status, or the shell's if a signal killed it.

        A writer that makes no progress is ended once ``is_urgent`` returns true.
        """
        self._is_urgent = is_urgent
        try:
            if self._count:
                self._send()
            os.close(self._pipe)
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


def _events(ends: _Ends, stacks: mmap.mmap) -> Iterator[RawEvent]:
    """Yields the events up to the last complete batch; the machine may have been killed."""
    decode = decoder()
    with open(ends.events_read, "rb", buffering=_PIPE_BYTES) as pipe:
        while header := pipe.read(_HEADER_BYTES):
            size = int.from_bytes(header, "little")
            data = pipe.read(size)
            if len(header) < _HEADER_BYTES or len(data) < size:
                return
            for event in decode(data):
                where = event.where if isinstance(event, FaultEvent | RecordEvent) else None
                if where is not None and isinstance(where.stack, SharedSlice):
                    where.stack = stacks[where.stack.start : where.stack.end]
                yield event
            with suppress(BrokenPipeError):  # the machine has ended
                os.write(ends.done_write, b".")
