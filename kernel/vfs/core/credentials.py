"""User and group IDs that permission bits are compared with (credentials(7))."""

from __future__ import annotations

import os
from typing import NamedTuple


class Credentials(NamedTuple):
    """User ID, group ID and supplementary group IDs. The guest's are those of the host's user."""

    uid: int
    gid: int
    groups: frozenset[int] = frozenset()

    @classmethod
    def of_host(cls) -> Credentials:
        return cls(os.geteuid(), os.getegid(), frozenset(os.getgroups()))

    def permits(self, want: int, mode: int, uid: int, gid: int) -> bool:
        """True when ``mode`` of a node of ``uid`` and ``gid`` permits all of ``want``.

        ``want`` consists of R_OK (4), W_OK (2) and X_OK (1). Root is permitted everything except
        to execute a file without any execute bit.
        """
        if self.uid == 0:
            return not want & 1 or bool(mode & 0o111) or (mode & 0o170000) == 0o040000
        if self.uid == uid:
            mode >>= 6
        elif self.gid == gid or gid in self.groups:
            mode >>= 3
        return mode & want == want
