"""Resource limits (getrlimit(2)), enforced or only stored."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

INFINITY = (1 << 64) - 1
MOST_PENDING = 4096
"""Maximum number of queued real-time signals and timers of all processes together."""


class Resource(IntEnum):
    CPU = 0
    FSIZE = 1
    DATA = 2
    STACK = 3
    CORE = 4
    RSS = 5
    NPROC = 6
    NOFILE = 7
    MEMLOCK = 8
    AS = 9
    LOCKS = 10
    SIGPENDING = 11
    MSGQUEUE = 12
    NICE = 13
    RTPRIO = 14
    RTTIME = 15


_DEFAULTS: Final = dict.fromkeys(Resource, (INFINITY, INFINITY)) | {
    Resource.STACK: (8 << 20, INFINITY),
    Resource.NOFILE: (1024, 4096),
    Resource.SIGPENDING: (MOST_PENDING, MOST_PENDING),
    Resource.CORE: (0, INFINITY),
    Resource.MEMLOCK: (8 << 20, 8 << 20),
}


class Limits:
    """The (soft, hard) limits of each resource. CPU, STACK, NOFILE, AS, DATA, FSIZE, MEMLOCK, NPROC
    and SIGPENDING are enforced.

    All guests belong to one user; ``tasks`` is the limit of that user's processes and threads.
    """

    def __init__(self, tasks: int = 4096) -> None:
        self._limits = _DEFAULTS.copy()
        self._limits[Resource.NPROC] = (tasks, tasks)

    def __getitem__(self, resource: Resource) -> tuple[int, int]:
        return self._limits[resource]

    def __setitem__(self, resource: Resource, value: tuple[int, int]) -> None:
        self._limits[resource] = value

    def soft(self, resource: Resource) -> int:
        return self._limits[resource][0]

    def copy(self) -> Limits:
        other = Limits()
        other._limits = self._limits.copy()
        return other
