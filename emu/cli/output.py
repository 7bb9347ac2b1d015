"""Where the command's own lines go: messages to stderr, a trace there or to a file."""

from __future__ import annotations

import os
import select
import sys

from emu.cli.outputs import Output

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
