"""Exceptions of the kernel: :class:`Errno`, :class:`OutOfMemory` and :class:`Interrupted`."""

from __future__ import annotations

from kernel.base import errno as numbers


class Errno(Exception):
    """The failure of a system call; the guest gets ``-errno`` in a0 (errno(3))."""

    def __init__(self, errno: int) -> None:
        super().__init__(errno)
        self.errno = errno
        """Number of the error in Linux (:mod:`kernel.base.errno`)."""

    def __str__(self) -> str:
        return numbers.NAMES.get(self.errno, str(self.errno))


def from_host(error: OSError) -> Errno:
    """Converts a failure of the host's system call to the guest's."""
    return Errno(numbers.from_host(error.errno))


class OutOfMemory(Exception):
    """No frame of the machine is free; the process is killed or its system call fails (ENOMEM)."""


class Interrupted(Exception):
    """Raised in a blocked system call when a signal is to be delivered (signal(7)).

    A call that does not catch it is restarted after a handler with SA_RESTART, and fails with
    EINTR otherwise. A call that is never restarted (poll, nanosleep, …) converts it to
    ``Errno(EINTR)``.
    """


class AlwaysRestarted(Interrupted):
    """Raised by an interrupted system call that is restarted after every handler."""
