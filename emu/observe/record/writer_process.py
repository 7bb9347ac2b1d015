"""A process beside the machine's own, in which facts are made into a trace.

What a trace says costs several times what the machine has to be asked for it, and the program waits
only for the latter. The facts go through a pipe, many at a time: to make records of them takes a
third of the time then, since Python's code for it stays in the processor's caches. Stacks, which
are most of the bytes, lie in memory that both processes have: a quarter of it for each of the last
four batches, so the machine waits when it is so far ahead.
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
from emu.observe.model.raw_events import Fault as FaultFact
from emu.observe.model.raw_events import (
    RawEvent,
    RecordEvent,
    SharedSlice,
    decoder,
    encoder,
    start_of,
)

_BATCHES = 4
_BATCH = 1 << 16
"""Bytes of facts."""
_STACKS = 1 << 19
"""Bytes of their stacks."""
_LAST_STACK = _STACKS - (1 << 15)
_PIPE = 1 << 20
_HEADER = 8
_GLANCE_MS = 250
_STUCK = 8
"""Consecutive checks that find the writer blocked before it is considered stuck."""
_LAST_WORDS = 5
"""Seconds that the writer has after the machine was killed."""
_SET_PIPE_SIZE = 1031
"""F_SETPIPE_SZ of fcntl(2), which is Linux's."""
_FOR_THE_MACHINE = (
    *(signal.SIGINT, signal.SIGQUIT, signal.SIGTERM),
    *(signal.SIGHUP, signal.SIGTSTP),
)
"""What the terminal sends to both; the writer ends when the machine does."""

Serve = Callable[[Iterator[RawEvent]], int]


class TraceWriterProcess:
    """Has ``serve`` take facts in a process of its own, with the open files ``kept``.

    What it returns is the process's exit status. OSError when no process can be made. ``close`` has
    to be called; one that has died meanwhile is told no more.
    """

    def __init__(self, serve: Serve, kept: Iterable[int]) -> None:
        self.gave_up = False
        """True when the writer was ended because its files accepted no data."""
        self._hurried: Callable[[], bool] = lambda: False
        self._encode = encoder()
        self._facts = bytearray()
        self._count = 0
        shared = mmap.mmap(-1, _BATCHES * _STACKS)
        self._stacks = memoryview(shared)
        self._batch = self._ahead = self._used = 0
        ends = _Ends(*os.pipe(), *os.pipe())
        try:
            parent = os.getpid()
            self._pid = _fork()
        except OSError:
            for fd in ends:
                os.close(fd)
            raise
        if self._pid == 0:
            _outlive(parent)
            _run(serve, shared, ends, {2, *kept})
        os.close(ends.facts_read)
        os.close(ends.done_write)
        self._pipe, self._done = ends.facts_write, ends.done_read
        os.set_blocking(self._pipe, False)
        self._lives = True
        with suppress(OSError):  # another system, or a user who has many pipes
            fcntl.fcntl(self._pipe, _SET_PIPE_SIZE, _PIPE)

    def tell(self, fact: RawEvent) -> None:
        try:
            self._encode(fact, self._facts, -1)
            self._count += 1
            full = len(self._facts) >= _BATCH or self._used >= _LAST_STACK
            if full and isinstance(
                fact, FaultFact | RecordEvent
            ):  # not between a stack and its fact
                self._send()
        except BaseException:  # the user would not wait: there may be half of a fact or batch
            self._lives = False
            raise

    def keep(self, parts: list[memoryview]) -> bytes | SharedSlice:
        first = at = self._batch * _STACKS + self._used
        for part in parts:
            end = at + len(part)
            if end > (self._batch + 1) * _STACKS:
                return b"".join(parts)
            self._stacks[at:end] = part
            at = end
        self._used += at - first
        return SharedSlice(first, at)

    def _send(self) -> None:
        start, facts = start_of(self._count), self._facts
        self._facts, self._count = bytearray(), 0
        size = (len(start) + len(facts)).to_bytes(_HEADER, "little")
        try:
            for part in (size + start, facts):
                rest = memoryview(part)
                while rest and self._lives:
                    self._wait_for(self._pipe, select.POLLOUT)
                    with suppress(BlockingIOError):
                        rest = rest[os.write(self._pipe, rest) :]
        except BrokenPipeError:
            self._lives = False
        self._ahead += 1
        while self._ahead == _BATCHES and self._lives:
            self._wait_for(self._done, select.POLLIN)
            done = len(os.read(self._done, _BATCHES))
            self._ahead -= done
            self._lives = done > 0
        self._batch, self._used = (self._batch + 1) % _BATCHES, 0

    def close(self, hurried: Callable[[], bool] = lambda: False) -> int:
        """Waits for the writer; returns its exit status, or the shell's if a signal killed it.

        A writer that makes no progress is ended once ``hurried`` returns true.
        """
        self._hurried = hurried
        try:
            if self._count:
                self._send()
            os.close(self._pipe)
            self._await_end()
        except BaseException:  # the user would not wait; until waitpid the pid is no other's
            os.kill(self._pid, signal.SIGKILL)
            raise
        finally:
            os.close(self._done)
            _, status = os.waitpid(self._pid, 0)
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else 128 - code

    def _await_end(self) -> None:
        """Waits until the writer has closed all its descriptors, as it does on exit."""
        while True:
            self._wait_for(self._done, select.POLLIN)
            if not os.read(self._done, _BATCHES):
                return

    def _wait_for(self, fd: int, event: int) -> None:
        """Waits until ``fd`` is ready or the writer ends; a writer that is stuck is ended here."""
        poll = select.poll()
        poll.register(fd, event)
        looked, looks = "", 0
        while not poll.poll(_GLANCE_MS):
            stuck, looked = is_stuck(self._pid, looked)
            looks = looks + 1 if stuck and self._hurried() else 0
            if looks >= _STUCK:
                self.gave_up = True
                os.kill(self._pid, signal.SIGKILL)


class _Ends(NamedTuple):
    """Descriptors: of a pipe for facts, and of one with a byte for each batch that is done with."""

    facts_read: int
    facts_write: int
    done_read: int
    done_write: int


def _fork() -> int:
    """As fork(2); the child hears no signal that the machine is meant to hear."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _FOR_THE_MACHINE)
    try:
        pid = os.fork()
        if pid == 0:
            for number in _FOR_THE_MACHINE:
                signal.signal(number, signal.SIG_IGN)
        return pid
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _outlive(parent: int) -> None:
    """Lets the writer finish the trace of a machine that was killed, but within a time limit."""

    def soon(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(_LAST_WORDS)

    signal.signal(signal.SIGALRM, soon)
    end_with(parent, signal.SIGALRM)


def _run(serve: Serve, stacks: mmap.mmap, ends: _Ends, kept: set[int]) -> NoReturn:
    status = 1
    try:
        gc.freeze()
        _close_all_but({ends.facts_read, ends.done_write, *kept})
        status = serve(_facts(ends, stacks))
    finally:
        os._exit(status)


def _close_all_but(kept: set[int]) -> None:
    """What is open for the guest, or a pipe's other end, is not kept open by this process."""
    first = 0
    for fd in sorted(kept):
        os.closerange(first, fd)
        first = fd + 1
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))
    for _ in {0, 1} - kept:
        os.open(os.devnull, os.O_RDWR)  # it gets the lowest number that is free


def _facts(ends: _Ends, stacks: mmap.mmap) -> Iterator[RawEvent]:
    """Up to the last whole batch: the machine may have been killed."""
    decode = decoder()
    with open(ends.facts_read, "rb", buffering=_PIPE) as pipe:
        while header := pipe.read(_HEADER):
            size = int.from_bytes(header, "little")
            data = pipe.read(size)
            if len(header) < _HEADER or len(data) < size:
                return
            for fact in decode(data):
                where = fact.where if isinstance(fact, FaultFact | RecordEvent) else None
                if where is not None and isinstance(where.stack, SharedSlice):
                    where.stack = stacks[where.stack.start : where.stack.end]
                yield fact
            with suppress(BrokenPipeError):  # the machine has ended
                os.write(ends.done_write, b".")
