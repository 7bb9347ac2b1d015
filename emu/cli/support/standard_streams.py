"""The user's standard streams, which may be closed, full or without a reader."""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


_occupied: set[int] = set()
"""Standard descriptors that the user had closed; they now refer to /dev/null."""


def open_streams() -> list[int]:
    """Returns those of descriptors 0, 1 and 2 that the user gave.

    A closed one is redirected to /dev/null: otherwise the next file that emu or an imported library
    opens would get its number and be used as the user's stream. In the guest it is closed.
    """
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            _occupied.add(fd)
    return [fd for fd in (0, 1, 2) if fd not in _occupied]


def ignore_lost_messages() -> None:
    """Makes writes to stderr never fail, so that they do not change the exit status.

    Python exits with status 120 when it cannot flush a stream's buffer. If the user has closed
    stderr, ``print(…, file=sys.stderr)`` would write to stdout.
    """
    given = sys.stderr
    if given is not None and given is not sys.__stderr__:
        return  # called from another program in this process
    raw = _Lossy(-1 if given is None else given.fileno())
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=None if given is None else given.encoding,
        errors="backslashreplace",
        line_buffering=True,
    )


def discard_unwritable(stream: TextIO | None) -> None:
    """Discards the buffered data of a stream that can no longer be written."""
    if stream is None:
        return
    try:
        stream.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), stream.fileno())


def is_lost_terminal(error: OSError) -> bool:
    """True when ``error``, of a write to stdout, means that its terminal was closed."""
    try:
        return error.errno == errno.EIO and stat.S_ISCHR(os.fstat(1).st_mode)
    except OSError:
        return False


class _Lossy(io.RawIOBase):
    """Raw stream that accepts all data, even if its descriptor is closed."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._fd

    def isatty(self) -> bool:
        return os.isatty(self._fd)

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return os.write(self._fd, data)
        except OSError:
            return memoryview(data).nbytes
