"""The end of a process, as wait(2) and a shell encode it."""

from __future__ import annotations

from typing import NamedTuple

_STOPPED = 0x7F
CONTINUED = 0xFFFF
"""Wait status of a process that SIGCONT has resumed."""


class ExitStatus(NamedTuple):
    """The signal that killed a process, or 0 and the code that it gave to exit(2)."""

    signal: int = 0
    code: int = 0

    @classmethod
    def of_exit(cls, code: int) -> ExitStatus:
        """The status after exit(2) with ``code``, of which 8 bits are kept."""
        return cls(code=code & 0xFF)

    @property
    def wait_status(self) -> int:
        """The number of wait4(2). Its core flag is 0: no core file is written."""
        return self.signal or self.code << 8

    @property
    def shell_status(self) -> int:
        """A shell's status: the code, or 128 + the signal."""
        return 128 + self.signal if self.signal else self.code


def stopped(signal: int) -> int:
    """Wait status of a process that ``signal`` has stopped."""
    return signal << 8 | _STOPPED
