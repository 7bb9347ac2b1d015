"""User and group IDs that permission bits are compared with (credentials(7))."""

from __future__ import annotations

import os
from typing import NamedTuple

from kernel.base.errno import EPERM
from kernel.base.errors import Errno

ROOT = 0
UNCHANGED = -1


class Ids(NamedTuple):
    """Real, effective and saved ID, of a user or a group."""

    real: int
    effective: int
    saved: int

    def permit(self, wanted: int) -> bool:
        """True if a process without privilege may take this ID, or -1 for none."""
        return wanted == UNCHANGED or wanted in self

    def with_all(self, wanted: int, *, privileged: bool) -> Ids:
        """IDs after setuid(2) or setgid(2); EPERM."""
        if privileged:
            return Ids(wanted, wanted, wanted)
        if wanted not in (self.real, self.saved):
            raise Errno(EPERM)
        return self._replace(effective=wanted)

    def with_two(self, real: int, effective: int, *, privileged: bool) -> Ids:
        """IDs after setreuid(2) or setregid(2); EPERM."""
        may_be_real = real in (UNCHANGED, self.real, self.effective)
        if not privileged and not (may_be_real and self.permit(effective)):
            raise Errno(EPERM)
        new = self._with(real, effective, UNCHANGED)
        changes = real != UNCHANGED or effective not in (UNCHANGED, self.real)
        return new._replace(saved=new.effective) if changes else new

    def with_three(self, real: int, effective: int, saved: int, *, privileged: bool) -> Ids:
        """IDs after setresuid(2) or setresgid(2); EPERM."""
        if not privileged and not all(map(self.permit, (real, effective, saved))):
            raise Errno(EPERM)
        return self._with(real, effective, saved)

    def _with(self, *wanted: int) -> Ids:
        pairs = zip(wanted, self, strict=True)
        return Ids(*(old if new == UNCHANGED else new for new, old in pairs))


class Credentials(NamedTuple):
    """Effective user and group ID, supplementary group IDs, and the other IDs if they differ.

    Those of the first process are the host's user's, or given by ``--user``.
    """

    uid: int
    gid: int
    groups: frozenset[int] = frozenset()
    user_ids: Ids | None = None
    group_ids: Ids | None = None

    @property
    def users(self) -> Ids:
        return self.user_ids or Ids(self.uid, self.uid, self.uid)

    @property
    def all_groups(self) -> Ids:
        return self.group_ids or Ids(self.gid, self.gid, self.gid)

    @property
    def is_privileged(self) -> bool:
        """True for root, who has all capabilities in its machine."""
        return self.uid == ROOT

    def with_users(self, ids: Ids) -> Credentials:
        return self._replace(uid=ids.effective, user_ids=ids)

    def with_groups(self, ids: Ids) -> Credentials:
        return self._replace(gid=ids.effective, group_ids=ids)

    def may_signal(self, target: Credentials) -> bool:
        """Returns whether a process may send signals to another (kill(2))."""
        mine, other = self.users, target.users
        own = mine.real, mine.effective
        return self.is_privileged or other.real in own or other.saved in own

    def may_inspect(self, target: Credentials) -> bool:
        """Returns whether all IDs of another process are the real ones of this (ptrace(2))."""
        same_user = set(target.users) == {self.users.real}
        return same_user and set(target.all_groups) == {self.all_groups.real}

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
