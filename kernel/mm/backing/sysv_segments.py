"""System V shared memory segments: their pages, owners and times (sysvipc(7))."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kernel.base.budget import Budget, Cost, Kind
from kernel.base.errno import EEXIST, EINVAL, ENOENT, ENOSPC
from kernel.base.errors import Errno
from kernel.mm.backing.shared_memory import SharedMemory
from kernel.mm.physical.frames import Frames

IPC_PRIVATE = 0
IPC_CREAT, IPC_EXCL = 0o1000, 0o2000
SHM_DEST, SHM_LOCKED = 0o1000, 0o2000
"""Bits of the mode that IPC_STAT shows: removed when no process uses it, locked."""
MOST_SEGMENTS = 4096
"""kernel.shmmni."""
LARGEST = (1 << 64) - (1 << 24) - 1
"""kernel.shmmax."""
_SEQUENCE_SHIFT = 15
_LAST_SEQUENCE = (1 << 16) - 1


@dataclass(slots=True)
class Owner:
    """Owner, creator and permission bits of an object of System V IPC (struct ipc_perm)."""

    uid: int
    gid: int
    creator_uid: int
    creator_gid: int
    mode: int


class SegmentMemory(SharedMemory):
    """The pages of a segment, which are there without a mapping until it is removed."""

    is_kept = True

    def unused(self) -> None:
        if not self.is_kept:
            super().unused()


class Segment:
    """A segment and its pages."""

    def __init__(
        self, number: int, key: int, size: int, owner: Owner, memory: SegmentMemory
    ) -> None:
        self.number = number
        self.key = key
        self.size = size
        """In bytes, not rounded."""
        self.owner = owner
        self.memory = memory
        self.name = f"/SYSV{key & 0xFFFFFFFF:08x} (deleted)"
        """The name of its mappings in /proc/PID/maps."""
        self.removed = False
        self.locked = False
        self.attached_at = self.detached_at = self.changed_at = 0
        """Times in seconds since 1970."""
        self.creator = self.last_user = 0
        """PIDs of the process that created it, and of the last that attached or detached it."""

    @property
    def attached(self) -> int:
        """Number of mappings."""
        return self.memory.users


class Segments:
    """The segments of a machine, by number; a removed one is there until the last detach."""

    def __init__(self, frames: Frames, budget: Budget, now: Callable[[], int]) -> None:
        self._frames = frames
        self._budget = budget
        self._now = now
        self._slots: dict[int, Segment] = {}
        self._sequences: dict[int, int] = {}

    def _purge(self) -> None:
        """Forgets removed segments that were detached meanwhile."""
        for slot, segment in list(self._slots.items()):
            if segment.removed and not segment.memory.users:
                del self._slots[slot]
                self._budget.give_back(Kind.IPC, Cost.NODE)

    def all(self) -> list[tuple[int, Segment]]:
        """The segments, each with its index, in ascending order."""
        self._purge()
        return sorted(self._slots.items())

    def find(self, number: int) -> Segment:
        """The segment; EINVAL."""
        self._purge()
        segment = self._slots.get(number & (1 << _SEQUENCE_SHIFT) - 1) if number >= 0 else None
        if segment is None or segment.number != number:
            raise Errno(EINVAL)
        return segment

    def at(self, index: int) -> Segment:
        self._purge()
        segment = self._slots.get(index)
        if segment is None:
            raise Errno(EINVAL)
        return segment

    def with_key(self, key: int) -> Segment | None:
        self._purge()
        if key == IPC_PRIVATE:
            return None
        found = (s for s in self._slots.values() if s.key == key and not s.removed)
        return next(found, None)

    def get(self, key: int, size: int, flags: int, owner: Owner) -> Segment:
        """The existing segment with ``key``, or a new one (shmget(2))."""
        found = self.with_key(key)
        if found is None:
            if key != IPC_PRIVATE and not flags & IPC_CREAT:
                raise Errno(ENOENT)
            return self._create(key, size, owner)
        if flags & IPC_CREAT and flags & IPC_EXCL:
            raise Errno(EEXIST)
        if size > found.size:
            raise Errno(EINVAL)
        return found

    def _create(self, key: int, size: int, owner: Owner) -> Segment:
        if not 0 < size <= LARGEST:
            raise Errno(EINVAL)
        pages = -(-size // 4096)
        if len(self._slots) >= MOST_SEGMENTS or pages > self._frames.total:
            raise Errno(ENOSPC)
        self._budget.take(Kind.IPC, Cost.NODE)
        index = next(slot for slot in range(MOST_SEGMENTS) if slot not in self._slots)
        sequence = self._sequences.get(index, 0)
        self._sequences[index] = (sequence + 1) & _LAST_SEQUENCE
        memory = SegmentMemory(self._frames, pages)
        segment = Segment(sequence << _SEQUENCE_SHIFT | index, key, size, owner, memory)
        segment.changed_at = self._now()
        self._slots[index] = segment
        return segment

    def remove(self, segment: Segment) -> None:
        """Removes the segment once no process has it attached (IPC_RMID)."""
        if segment.removed:
            return
        segment.removed = True
        segment.key = IPC_PRIVATE
        segment.memory.is_kept = False
        if not segment.memory.users:
            segment.memory.unused()
        self._purge()

    def remove_all(self) -> None:
        for _, segment in self.all():
            self.remove(segment)
