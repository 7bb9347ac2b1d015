"""The user's standard streams, either of which may be closed, full, or gone with its reader."""

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


def lose_messages_quietly() -> None:
    """From now on nothing that is said on stderr can fail, nor change the exit status: Python ends
    with status 120 when it can't write what is left in a stream's buffer. Where the user has closed
    stderr, ``print(…, file=sys.stderr)`` would write to stdout.
    """
    given = sys.stderr
    if given is not None and given is not sys.__stderr__:
        return  # a caller's in this process
    raw = _Lossy(-1 if given is None else given.fileno())
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=None if given is None else given.encoding,
        errors="backslashreplace",
        line_buffering=True,
    )


def settle(stream: TextIO | None) -> None:
    """Sends nowhere what is left in the buffer of a stream that can't be written any more."""
    if stream is None:
        return
    try:
        stream.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), stream.fileno())


def is_lost_terminal(error: OSError) -> bool:
    """Whether ``error``, of a write to stdout, says that the terminal there has gone."""
    try:
        return error.errno == errno.EIO and stat.S_ISCHR(os.fstat(1).st_mode)
    except OSError:
        return False


class _Lossy(io.RawIOBase):
    """A descriptor, which may be no open one, that takes all that it is given."""

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
