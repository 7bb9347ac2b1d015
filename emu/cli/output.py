"""Where the command's own lines go: messages to stderr, a trace there or to a file."""

from __future__ import annotations

import sys
from typing import TextIO


class Lines:
    """Never mixes with the guest's stdout, and never fails because nobody reads stderr."""

    def __init__(self, trace_file: str | None = None) -> None:
        self._file: TextIO | None = None
        self._path = trace_file
        if trace_file is not None:
            self._file = open(trace_file, "w", encoding="utf-8")  # noqa: SIM115

    def message(self, text: str) -> None:
        _print(f"emu: {text}", sys.stderr)

    def trace(self, line: str) -> None:
        _print(line, self._file or sys.stderr)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _print(text: str, stream: TextIO) -> None:
    try:
        stream.write(text + "\n")
        if stream is sys.stderr:
            stream.flush()
    except (BrokenPipeError, ValueError):
        pass
