"""Progress line of a long run on the terminal."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

_PATIENCE = 3.0
"""Seconds before the line first appears."""
_PERIOD = 0.5
_CLEAR = "\r\x1b[K"


class ProgressLine:
    """Progress line on ``stream``, shown after ``patience`` seconds if that is a terminal.

    The cursor stays at the start of the line, so other output replaces it. Writing never blocks on
    a stopped terminal.
    """

    def __init__(self, stream: TextIO | None, patience: float = _PATIENCE) -> None:
        self.fd = stream.fileno() if stream is not None and stream.isatty() else None
        self._patience = patience
        self._began = time.monotonic()
        self._shown = False

    def show(self, text: str) -> None:
        seconds = time.monotonic() - self._began
        if seconds >= self._patience:
            self._shown = True
            self._write(f"{_CLEAR}{self._cut(f'emu: {seconds:.0f} s, {text}')}\r")

    def clear(self) -> None:
        if self._shown:
            self._shown = False
            self._write(_CLEAR)

    def _cut(self, text: str) -> str:
        """The part of a text that fits into the terminal's line: a longer one is not renewed."""
        try:
            columns = os.get_terminal_size(self.fd).columns if self.fd is not None else 0
        except OSError:
            columns = 0
        return text[: columns - 1] if columns > 1 else text

    def _write(self, text: str) -> None:
        if self.fd is None:
            return
        poll = select.poll()
        poll.register(self.fd, select.POLLOUT)
        try:
            if poll.poll(0):
                os.write(self.fd, text.encode())
        except OSError:
            self.fd = None


class Progress:
    """Context manager that shows a progress line; ``count`` returns the number of events so far."""

    def __init__(self, stream: TextIO | None, count: Callable[[], int]) -> None:
        self._count = count
        self._line = ProgressLine(stream)
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Progress:
        if self._line.fd is not None:
            self._thread = threading.Thread(target=self._show, daemon=True, name="emu-progress")
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join()

    def _show(self) -> None:
        while not self._done.wait(_PERIOD):
            self._line.show(f"{self._count():,} events")
        self._line.clear()
