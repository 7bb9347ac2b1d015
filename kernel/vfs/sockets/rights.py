"""Descriptors on their way in messages (SCM_RIGHTS), and those that no process can reach any more.

A socket that was sent and whose descriptors were then closed may be referred to only by messages in
queues of such sockets, in a circle. These are collected when the last descriptor is closed; Linux
does it a little later (unix_gc).
"""

from __future__ import annotations

from collections import Counter

from kernel.vfs.core.open_file import OpenFile


class Carrier(OpenFile):
    """A file in which messages with descriptors wait."""

    def queued_files(self) -> list[OpenFile]:
        """The descriptors in messages that have arrived."""
        raise NotImplementedError

    def discard_messages(self) -> None:
        """Empties the queue."""
        raise NotImplementedError


class Rights:
    """The files in flight, with the number of their references from messages."""

    def __init__(self) -> None:
        self._in_flight: Counter[OpenFile] = Counter()
        self.count = 0
        """Number of references from messages."""
        self._dropped: list[OpenFile] = []
        self._is_dropping = False

    def has_all_of(self, file: OpenFile) -> bool:
        """True if only messages refer to the file."""
        return 0 < file.refs == self._in_flight.get(file, 0)

    def send(self, files: list[OpenFile]) -> None:
        """Takes a reference of each file for a message."""
        for file in files:
            file.acquire()
            self._in_flight[file] += 1
            self.count += 1

    def received(self, files: list[OpenFile]) -> None:
        """The message was received: its references are the receiver's, to be released."""
        for file in files:
            self._in_flight[file] -= 1
            self.count -= 1
            if not self._in_flight[file]:
                del self._in_flight[file]

    def drop(self, files: list[OpenFile]) -> None:
        """Releases the files of discarded messages, one after the other: a file that is closed may
        be a socket with further messages.
        """
        self.received(files)
        self._dropped += files
        if self._is_dropping:
            return
        self._is_dropping = True
        try:
            while self._dropped:
                self._dropped.pop().release()
        finally:
            self._is_dropping = False

    def collect(self) -> None:
        """Empties the queues of sockets that only messages of such sockets refer to."""
        unreachable = self._unreachable()
        for socket in unreachable:
            socket.discard_messages()

    def _unreachable(self) -> list[Carrier]:
        candidates = {
            file for file in self._in_flight if isinstance(file, Carrier) and self.has_all_of(file)
        }
        held = Counter(
            file for socket in candidates for file in socket.queued_files() if file in candidates
        )
        reachable: list[OpenFile] = [
            socket for socket in candidates if held[socket] < self._in_flight[socket]
        ]
        while reachable:
            socket = reachable.pop()
            if socket in candidates:
                candidates.discard(socket)
                if isinstance(socket, Carrier):
                    reachable += [file for file in socket.queued_files() if file in candidates]
        return sorted(candidates, key=lambda socket: socket.inode.stat().ino)
