"""Where the command's own lines go: messages to stderr, a trace there or to a file."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import stat
import sys

_BUFFERED = 1 << 16


class Lines:
    """Never mixes with the guest's stdout, and never ends a run because nobody reads it.

    OSError when ``trace_file`` can't be opened. One that can't be written any more (a full disk) is
    given up with a message; an earlier one is kept when there is no line for it.
    """

    def __init__(self, trace_file: str | None = None) -> None:
        self._path = trace_file
        self._fd: int | None = None
        self._buffer = bytearray()
        self._notes: list[str] = []
        self._output = None if trace_file is None else Output(trace_file)

    def message(self, text: str) -> None:
        self.plain(f"emu: {text}")

    def note(self, text: str) -> None:
        """A message for after the command's result, so that the result comes first."""
        self._notes.append(text)

    def write_notes(self) -> None:
        notes, self._notes = self._notes, []
        for text in notes:
            self.message(text)

    def plain(self, text: str) -> None:
        """To stderr as it is."""
        if sys.stderr is None:  # the user closed it
            return
        try:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            pass
        except BaseException:  # the user ended a write that blocked
            _drop_if_full(2)
            raise

    def trace(self, line: str) -> None:
        if self._path is None:
            self.plain(line)
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


def _drop_if_full(fd: int) -> None:
    """Discards pending output of a stream that no one reads, so that it does not block either."""
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    if not poll.poll(0):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, fd)
        os.close(nowhere)


_WRITE = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC


class Output:
    """A file that is opened, so that it is known that it can be, and emptied by ``begin``.

    OSError when it can't be opened. Either ``begin`` or ``abandon`` is to be called, once.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._new = not os.path.exists(path)
        self._fd = _beyond_streams(os.open(path, _WRITE, 0o666))

    @property
    def descriptor(self) -> int:
        return self._fd

    def begin(self) -> int:
        """The descriptor, the caller's to close, of what is an empty file now."""
        try:
            if stat.S_ISREG(os.fstat(self._fd).st_mode):
                os.ftruncate(self._fd, 0)
        except OSError:
            os.close(self._fd)
            raise
        return self._fd

    def abandon(self) -> None:
        """Leaves an earlier file as it was, and a new one not at all."""
        os.close(self._fd)
        if self._new:
            with contextlib.suppress(OSError):
                os.unlink(os.path.realpath(self._path))


def _beyond_streams(fd: int) -> int:
    """A descriptor that can't pass for one of the user's, who may have closed some."""
    if fd > 2:
        return fd
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
    finally:
        os.close(fd)
