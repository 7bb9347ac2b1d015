"""Where the command's own lines go: messages to stderr, a trace there or to a file."""

from __future__ import annotations

import os
import sys

_BUFFERED = 1 << 16


class Lines:
    """Never mixes with the guest's stdout, and never ends a run because nobody reads it.

    OSError when ``trace_file`` can't be opened. One that can't be written any more (a full disk) is
    given up with a message.
    """

    def __init__(self, trace_file: str | None = None) -> None:
        self._path = trace_file
        self._fd: int | None = None
        self._buffer = bytearray()
        if trace_file is not None:
            self._fd = os.open(trace_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)

    def message(self, text: str) -> None:
        self.plain(f"emu: {text}")

    def plain(self, text: str) -> None:
        """To stderr as it is."""
        if sys.stderr is None:  # the user closed it
            return
        try:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            pass

    def trace(self, line: str) -> None:
        if self._path is None:
            self.plain(line)
        elif self._fd is not None:
            self._buffer += line.encode("utf-8", "surrogateescape") + b"\n"
            if len(self._buffer) > _BUFFERED:
                self._flush()

    def close(self) -> None:
        self._flush()
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _flush(self) -> None:
        fd = self._fd
        if fd is None:
            return
        try:
            while self._buffer:
                del self._buffer[: os.write(fd, self._buffer)]
        except OSError as error:
            os.close(fd)
            self._fd = None
            self.message(f"{self._path}: {error.strerror}; the trace ends here")
