"""The host's descriptors that granted folders use: a few at a time, whatever the guest opens."""

from __future__ import annotations

import os
from collections import OrderedDict
from typing import Protocol

from kernel.base.errno import EMFILE, ENFILE
from kernel.base.errors import Errno, from_host

DEFAULT_KEPT = 128


class Holder(Protocol):
    """A node that has host descriptors open."""

    def pinned(self) -> bool: ...
    def close_fds(self) -> None: ...


class Directory(Protocol):
    """A directory that gives a descriptor to go on from."""

    def fd(self) -> int: ...


class HostFds:
    """Keeps the descriptors of the ``kept`` nodes used last, and those of files in use."""

    def __init__(self, kept: int = DEFAULT_KEPT) -> None:
        self.kept = kept
        self._holders: OrderedDict[Holder, None] = OrderedDict()
        self._making_room = False

    def used(self, holder: Holder) -> None:
        """``holder`` has descriptors open and was used now."""
        self._holders[holder] = None
        self._holders.move_to_end(holder)
        if len(self._holders) > self.kept:
            self._close(1)

    def forget(self, holder: Holder) -> None:
        self._holders.pop(holder, None)

    def open(self, name: bytes, flags: int, directory: Directory, mode: int = 0) -> int:
        """os.open of a single name in ``directory``, never through a link, never waiting.

        When the host has no descriptor left, closes those not in use and tries again.
        """
        flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
        try:
            return os.open(name, flags, mode, dir_fd=directory.fd())
        except OSError as error:
            if from_host(error).errno not in (EMFILE, ENFILE):
                raise from_host(error) from None
        if self._making_room:
            raise Errno(ENFILE)
        self._making_room = True
        try:
            self._close(len(self._holders))
            return os.open(name, flags, mode, dir_fd=directory.fd())
        except OSError as error:
            failure = from_host(error)
            raise Errno(ENFILE) if failure.errno == EMFILE else failure from None
        finally:
            self._making_room = False

    def _close(self, count: int) -> None:
        """Closes the descriptors of up to ``count`` idle nodes, those used longest ago first."""
        for holder in list(self._holders):
            if count <= 0:
                return
            if holder.pinned():
                continue
            del self._holders[holder]
            holder.close_fds()
            count -= 1
