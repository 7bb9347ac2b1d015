"""The command's own lines: messages on stderr, trace lines there or in a file."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import stat
import sys
from collections.abc import Callable, Iterator

from emu.errors import CommandError

_BUFFERED = 1 << 16
_PATIENCE_MS = 2000
"""Time for which a run that the user has ended waits for room on stderr."""


class MessageStream:
    """Writes lines to stderr, never to the guest's stdout; a write that fails is ignored.

    Raises OSError when ``trace_file`` cannot be opened. When a write to it fails (a full disk), the
    trace ends with a message. An existing file is kept if no line is written to it.
    """

    def __init__(self, trace_file: str | None = None) -> None:
        self.is_urgent: Callable[[], object] = lambda: False
        """True when the user has ended the run: from then on a stream that is not read is given up,
        as no further signal need come that ends the wait for it."""
        self._path = trace_file
        self._fd: int | None = None
        self._buffer = bytearray()
        self._notes: list[str] = []
        self._output = None if trace_file is None else OutputFile(trace_file)

    def message(self, text: str) -> None:
        self.write(f"emu: {text}")

    def note(self, text: str) -> None:
        """Stores a message for :meth:`write_notes`, which follows the command's result."""
        self._notes.append(text)

    def write_notes(self) -> None:
        notes, self._notes = self._notes, []
        for text in notes:
            self.message(text)

    def write(self, text: str) -> None:
        """Writes ``text`` to stderr unchanged."""
        if sys.stderr is None:  # the user closed it
            return
        try:
            if self.is_urgent():
                _drop_if_full(2, _PATIENCE_MS)
            sys.stderr.write(text + "\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            pass
        except BaseException:  # the user ended a write that blocked
            _drop_if_full(2)
            raise

    def trace(self, line: str) -> None:
        """Writes a line of the trace."""
        if self._path is None:
            self.write(line)
        elif self._fd is not None or self._output is not None:
            self._buffer += line.encode("utf-8", "surrogateescape") + b"\n"
            if len(self._buffer) > _BUFFERED:
                self._flush()

    def close(self) -> None:
        self._flush()
        if self._output is not None:
            self._output.abandon()
            self._output = None
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _flush(self) -> None:
        try:
            if self._buffer and self._output is not None:
                output, self._output = self._output, None
                self._fd = output.begin()
            while self._buffer and self._fd is not None:
                del self._buffer[: os.write(self._fd, self._buffer)]
        except OSError as error:
            if self._fd is not None:
                os.close(self._fd)
                self._fd = None
            self.message(f"{self._path}: {error.strerror}; the trace ends here")


def _drop_if_full(fd: int, patience_ms: int = 0) -> None:
    """Discards the output of a stream that is not read, so that the exit does not block."""
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    if not poll.poll(patience_ms):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, fd)
        os.close(nowhere)


_WRITE = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC


class OutputFile:
    """A file that is opened at once, so that an error is reported early, and emptied by ``begin``.

    Raises OSError when it cannot be opened. The caller calls either ``begin`` or ``abandon``, once.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._new = not os.path.exists(path)
        self._fd = _beyond_streams(os.open(path, _WRITE, 0o666))

    @property
    def descriptor(self) -> int:
        return self._fd

    def begin(self) -> int:
        """Empties the file; returns its descriptor, which the caller closes."""
        try:
            if stat.S_ISREG(os.fstat(self._fd).st_mode):
                os.ftruncate(self._fd, 0)
        except OSError:
            os.close(self._fd)
            raise
        return self._fd

    def abandon(self) -> None:
        """Leaves an existing file unchanged and removes a new one."""
        os.close(self._fd)
        if self._new:
            with contextlib.suppress(OSError):
                os.unlink(os.path.realpath(self._path))


@contextlib.contextmanager
def as_command_error(path: str, consequence: str = "") -> Iterator[None]:
    """Turns an OSError of the file ``path`` into a :class:`CommandError` that names it."""
    try:
        yield
    except OSError as error:
        raise CommandError(f"{error.filename or path}: {error.strerror}{consequence}") from None


def _beyond_streams(fd: int) -> int:
    """Returns a descriptor above 2 for the same file: the user may have closed 0, 1 or 2."""
    if fd > 2:
        return fd
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
    finally:
        os.close(fd)
