"""Host descriptors of granted folders: a limited number, whatever the guest opens."""

from __future__ import annotations

import os
from collections import OrderedDict
from typing import Protocol

from kernel.base.errno import EMFILE, ENFILE
from kernel.base.errors import Errno, from_host
from kernel.vfs.hostfs.disk import Disk

DEFAULT_OPEN_NODES = 128


class DescriptorOwner(Protocol):
    """A node with open host descriptors."""

    def is_pinned(self) -> bool: ...
    def close_fds(self) -> None: ...


class Directory(Protocol):
    """A directory with a descriptor for openat(2)."""

    def fd(self) -> int: ...


class HostFds:
    """Keeps open the descriptors of the ``limit`` nodes used last, and of those in use."""

    def __init__(self, limit: int = DEFAULT_OPEN_NODES, disk: Disk | None = None) -> None:
        self.limit = limit
        self.disk = disk or Disk()
        self._owners: OrderedDict[DescriptorOwner, None] = OrderedDict()
        self._making_room = False

    def mark_used(self, owner: DescriptorOwner) -> None:
        """Makes ``owner`` the one used last; closes descriptors beyond the limit."""
        self._owners[owner] = None
        self._owners.move_to_end(owner)
        if len(self._owners) > self.limit:
            self._close(1)

    def remove(self, owner: DescriptorOwner) -> None:
        self._owners.pop(owner, None)

    def open(self, name: bytes, flags: int, directory: Directory, mode: int = 0) -> int:
        """Opens a single name in ``directory``, without following a link and without blocking.

        When the host has no descriptor left, closes those not in use and retries.
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
            self._close(len(self._owners))
            return os.open(name, flags, mode, dir_fd=directory.fd())
        except OSError as error:
            failure = from_host(error)
            raise Errno(ENFILE) if failure.errno == EMFILE else failure from None
        finally:
            self._making_room = False

    def _close(self, count: int) -> None:
        """Closes the descriptors of up to ``count`` nodes not in use, least recently used first."""
        for owner in list(self._owners):
            if count <= 0:
                return
            if owner.is_pinned():
                continue
            del self._owners[owner]
            owner.close_fds()
            count -= 1
