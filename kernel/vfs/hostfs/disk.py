"""Waits for the host's disk: what makes a page fault a major one.

The machine's page cache is filled from the host's. A page that is there costs no more than one in
the machine's own cache; for another the host must read its disk, as Linux would.
"""

from __future__ import annotations

import os

PAGE = 4096


class Disk:
    """Reads pages of the host's files. ``detects_waits`` is False for a machine whose behaviour
    must not depend on the host's page cache.
    """

    def __init__(self, *, detects_waits: bool = True) -> None:
        self._flags = getattr(os, "RWF_NOWAIT", 0) if detects_waits else 0
        self.waited = False
        """True when a read of a page has waited for the disk."""

    def read(self, fd: int, offset: int, count: int) -> bytes:
        """Reads like pread(2), and notes a wait if a page is read."""
        if count == PAGE and self._flags:
            page = bytearray(PAGE)
            try:
                if os.preadv(fd, [page], offset, self._flags) == PAGE:
                    return bytes(page)
            except BlockingIOError:
                self.waited = True
            except OSError:
                pass  # not supported by this file system
        return os.pread(fd, count, offset)
