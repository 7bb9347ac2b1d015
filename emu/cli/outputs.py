"""Files that a command writes beside running a guest: none is lost for a run that never was."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat

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
