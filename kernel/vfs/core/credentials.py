"""Who asks: the user and groups that permission bits are compared with (credentials(7))."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user, his group and his further groups. The guest's are the host user's own."""

    uid: int
    gid: int
    groups: frozenset[int] = frozenset()

    @classmethod
    def of_host(cls) -> Credentials:
        return cls(os.geteuid(), os.getegid(), frozenset(os.getgroups()))

    def may(self, want: int, mode: int, uid: int, gid: int) -> bool:
        """Whether the permission bits of a node of ``uid`` and ``gid`` allow all of ``want``.

        ``want`` has R_OK 4, W_OK 2 and X_OK 1. Root may all but execute a file nobody may.
        """
        if self.uid == 0:
            return not want & 1 or bool(mode & 0o111) or (mode & 0o170000) == 0o040000
        if self.uid == uid:
            mode >>= 6
        elif self.gid == gid or gid in self.groups:
            mode >>= 3
        return mode & want == want
