"""A line on the terminal that says how far a long run is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

_PATIENCE = 3.0
"""Seconds before it first appears."""
_PERIOD = 0.5
_CLEAR = "\r\x1b[K"


class Progress:
    """Shown on ``stream`` while it is entered (a context manager), if that is a terminal.

    ``count`` tells the number of events so far. The cursor is left at the line's start, so whatever
    the guest prints takes its place.
    """

    def __init__(self, stream: TextIO | None, count: Callable[[], int]) -> None:
        self._count = count
        self._stream = stream
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Progress:
        if self._stream is not None and self._stream.isatty():
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
        assert self._stream is not None
        began = time.monotonic()
        shown = False
        wait = _PATIENCE
        while not self._done.wait(wait):
            wait, shown = _PERIOD, True
            seconds = time.monotonic() - began
            self._write(f"{_CLEAR}emu: {seconds:.0f} s, {self._count():,} events\r")
        if shown:
            self._write(_CLEAR)

    def _write(self, text: str) -> None:
        assert self._stream is not None
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self._done.set()
