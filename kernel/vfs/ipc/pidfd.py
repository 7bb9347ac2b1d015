"""Descriptors of processes (pidfd_open(2))."""

from __future__ import annotations

from typing import Protocol

from kernel.base.wait import WaitQueue
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.linux_abi import O_RDWR, POLLHUP, POLLIN, POLLRDNORM
from kernel.vfs.core.open_file import OpenFile, Sources


class Subject(Protocol):
    """The process that a descriptor refers to."""

    @property
    def pid(self) -> int: ...
    @property
    def ended(self) -> bool:
        """True for a zombie, and later."""

    @property
    def reaped(self) -> bool:
        """True when it was waited for."""

    @property
    def changed(self) -> WaitQueue:
        """Woken when one of the two becomes true."""


class PidFile(OpenFile):
    """A process; readable once it has ended."""

    stream = True

    def __init__(self, inode: Inode, flags: int, subject: Subject) -> None:
        super().__init__(inode, flags | O_RDWR, "anon_inode:[pidfd]")
        self.subject = subject

    def poll(self) -> int:
        ended = POLLIN | POLLRDNORM if self.subject.ended else 0
        return ended | (POLLHUP if self.subject.reaped else 0)

    def sources(self, events: int) -> Sources:
        return Sources((self.subject.changed,))

    def details(self) -> str:
        number = -1 if self.subject.reaped else self.subject.pid
        return f"Pid:\t{number}\nNSpid:\t{number}\n"
