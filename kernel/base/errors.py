"""How the kernel says no: an errno for the guest, or a defect of our own."""

from __future__ import annotations

import errno as _errno


class Errno(Exception):
    """A system call's failure; the guest sees ``-errno`` in a0 (errno(3))."""

    def __init__(self, errno: int) -> None:
        super().__init__(errno)
        self.errno = errno

    def __str__(self) -> str:
        return _errno.errorcode.get(self.errno, str(self.errno))


class OutOfMemory(Exception):
    """No free frame is left in the machine; the process that asked has to go, or gets ENOMEM."""


class Interrupted(Exception):
    """Thrown into a blocked system call when a signal wants to be delivered (signal(7)).

    A call that lets it pass is restarted when the handler has SA_RESTART, and ends with EINTR
    when not. A call that is never restarted (poll, nanosleep, …) turns it into ``Errno(EINTR)``.
    """
