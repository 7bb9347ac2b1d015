"""Packet mode: the master learns of flushes and of flow control (TIOCPKT of ioctl_tty(2))."""

from __future__ import annotations

from enum import IntFlag

from kernel.vfs.pty.settings import EXTPROC, Settings


class Status(IntFlag):
    """The first byte of a packet; 0 if data follows."""

    FLUSH_READ = 1
    FLUSH_WRITE = 2
    STOP = 4
    START = 8
    NO_STOP = 16
    DO_STOP = 32
    SETTINGS = 64


_OPPOSITES = {
    Status.STOP: Status.START,
    Status.START: Status.STOP,
    Status.NO_STOP: Status.DO_STOP,
    Status.DO_STOP: Status.NO_STOP,
}


class PacketMode:
    """Packet mode of a master, and the status that was not reported yet."""

    def __init__(self) -> None:
        self.on = False
        self.status = 0

    def turn(self, on: bool) -> None:
        if on and not self.on:
            self.status = 0
        self.on = on

    def note(self, status: Status) -> bool:
        """Adds to the status, when the mode is on; returns whether it is."""
        if self.on:
            self.status = self.status & ~_OPPOSITES.get(status, 0) | status
        return self.on

    def note_settings(self, before: Settings, now: Settings) -> bool:
        """Notes what a change of settings means; returns whether there is something to report."""
        noted = False
        if before.flow_by_usual_keys != now.flow_by_usual_keys:
            noted = self.note(Status.DO_STOP if now.flow_by_usual_keys else Status.NO_STOP)
        if (before.lflag | now.lflag) & EXTPROC:
            noted = self.note(Status.SETTINGS)
        return noted

    def take(self) -> bytes:
        """Returns the status as a packet; nothing if there is none to report."""
        if not self.on or not self.status:
            return b""
        status, self.status = self.status, 0
        return bytes((status,))
