"""Signals read from a descriptor (signalfd(2))."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Protocol

from kernel.base.errno import EINVAL
from kernel.base.errors import Errno
from kernel.base.wait import WaitQueue
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.linux_abi import O_RDWR, POLLIN
from kernel.vfs.core.open_file import OpenFile, Sources

RECORD = struct.Struct("<IiiIIiIIIIiiQQQQHHiQI")
RECORD_SIZE = 128
"""struct signalfd_siginfo."""
_CHILD, _SYNCHRONOUS = 17, (4, 5, 7, 8, 11, 31)
_TIMER = -2


class Receiver(Protocol):
    """The thread whose signals are read."""

    @property
    def signalled(self) -> WaitQueue:
        """Woken when a signal becomes pending."""

    def pending_of(self, mask: int, /) -> bool:
        """Returns whether one of a set of signals is pending."""

    def take_signal(self, mask: int, /) -> tuple[int, int, bytes] | None:
        """Takes one of the set: its number, code, and the rest of its siginfo; None without one."""


class SignalFile(OpenFile):
    """The signals of ``mask`` that are pending for the thread that reads."""

    stream = True

    def __init__(
        self, inode: Inode, mask: int, flags: int, receiver: Callable[[], Receiver]
    ) -> None:
        super().__init__(inode, flags | O_RDWR, "anon_inode:[signalfd]")
        self.mask = mask
        self._receiver = receiver

    def read(self, count: int) -> bytes | None:
        if count < RECORD_SIZE:
            raise Errno(EINVAL)
        records: list[bytes] = []
        while len(records) < count // RECORD_SIZE:
            taken = self._receiver().take_signal(self.mask)
            if taken is None:
                break
            records.append(_record(*taken))
        return b"".join(records) or None

    def seek(self, offset: int, whence: int) -> int:
        return 0

    def poll(self) -> int:
        return POLLIN if self._receiver().pending_of(self.mask) else 0

    def details(self) -> str:
        return f"sigmask:\t{self.mask:016x}\n"

    def sources(self, events: int) -> Sources:
        return Sources((self._receiver().signalled,))


def _record(signo: int, code: int, fields: bytes) -> bytes:
    fields = fields.ljust(32, b"\0")
    pid = uid = tid = overrun = status = pointer = user = system = address = 0
    if signo in _SYNCHRONOUS and code > 0:
        address = struct.unpack_from("<Q", fields)[0]
    elif signo == _CHILD and code > 0:
        pid, uid, status, _, user, system = struct.unpack_from("<IIiiQQ", fields)
    elif code == _TIMER:
        tid, overrun, pointer = struct.unpack_from("<IIQ", fields)
    else:
        pid, uid, pointer = struct.unpack_from("<IIQ", fields)
    number = struct.unpack("<i", struct.pack("<I", pointer & 0xFFFFFFFF))[0]
    packed = RECORD.pack(
        *(signo, 0, code, pid, uid, 0, tid, 0, overrun, 0, status, number, pointer),
        *(user, system, address, 0, 0, 0, 0, 0),
    )
    return packed.ljust(RECORD_SIZE, b"\0")
