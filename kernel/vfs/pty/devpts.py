"""The file system of /dev/pts: a node for each slave, and ptmx, which makes new pairs (pts(4))."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from typing import Protocol

from kernel.base.budget import Budget, Cost, Kind
from kernel.base.errno import EACCES, ENOENT, ENOSPC, ENXIO, EPERM
from kernel.base.errors import Errno
from kernel.vfs.core.caller import Process
from kernel.vfs.core.credentials import Credentials
from kernel.vfs.core.filesystem import FileSystem
from kernel.vfs.core.inode import Inode, Stat
from kernel.vfs.core.linux_abi import DT_CHR, makedev
from kernel.vfs.core.open_file import OpenFile, SpecialInode
from kernel.vfs.pty.master import MasterFile
from kernel.vfs.pty.pair import Jobs, Pty
from kernel.vfs.pty.slave import SlaveFile, check_exclusive
from kernel.vfs.tty.job_control import take_if_leader

DEVPTS_MAGIC = 0x1CD1
MOST = 4096
"""Maximum number of pairs (/proc/sys/kernel/pty/max)."""
_TTY_GROUP = 5
_ROOT_INO, _PTMX_INO, _FIRST_INO = 1, 2, 3


class View(Protocol):
    """A process's view of the files."""

    @property
    def credentials(self) -> Credentials: ...


class Opener(Process, Protocol):
    """A process that opens a terminal."""

    @property
    def fs(self) -> View: ...


class Caller(Protocol):
    """The thread that opens a terminal."""

    @property
    def process(self) -> Opener: ...


class PtsKernel(Jobs, Protocol):
    """The kernel, as this file system sees it."""

    @property
    def caller(self) -> Caller: ...


class DevPts(FileSystem):
    """All pairs of a machine. None can be made before a kernel is connected."""

    def __init__(self, budget: Budget, *, number: int) -> None:
        super().__init__("devpts", DEVPTS_MAGIC, number=number)
        self.budget = budget
        self.kernel: PtsKernel | None = None
        self.slaves: dict[int, Slave] = {}
        """By number: slaves whose pair has an open side."""
        self.root = PtsDirectory(self)
        self.ptmx = Ptmx(self)

    @property
    def opener(self) -> Opener:
        if self.kernel is None:
            raise Errno(ENXIO)
        return self.kernel.caller.process

    def new_slave(self) -> Slave:
        """Makes a pair; ENOSPC if there are too many, ENOMEM without memory."""
        opener, kernel = self.opener, self.kernel
        assert kernel is not None
        number = next((each for each in range(MOST) if each not in self.slaves), None)
        if number is None:
            raise Errno(ENOSPC)
        self.budget.take(Kind.TERMINAL, Cost.TERMINAL)
        owner, now = opener.fs.credentials.uid, kernel.clock.realtime()
        slave = self.slaves[number] = Slave(self, Pty(number, kernel, self._open), owner, now)
        return slave

    def _open(self, pty: Pty, node: Inode, flags: int, path: str) -> OpenFile:
        """Opens a slave; also as the terminal of the session, if the opener leads one."""
        opener = self.opener
        check_exclusive(pty, privileged=opener.fs.credentials.is_privileged)
        file = OfSlave(self, pty, node, flags, path)
        take_if_leader(opener, pty, file)
        return file

    def forget(self, pty: Pty) -> None:
        """Removes a pair of which no side is open."""
        if not pty.master_is_open and not pty.slaves:
            del self.slaves[pty.number]
            self.budget.give_back(Kind.TERMINAL, Cost.TERMINAL)


class OfSlave(SlaveFile):
    """An open slave, whose close may be the end of the pair."""

    def __init__(self, pts: DevPts, pty: Pty, node: Inode, flags: int, path: str) -> None:
        super().__init__(pty, node, flags, path)
        self._pts = pts

    def on_last_close(self) -> None:
        super().on_last_close()
        self._pts.forget(self.pty)


class PtsNode(SpecialInode):
    """A character device of this file system, whose owner may change its attributes."""

    filesystem: DevPts

    def __init__(
        self, pts: DevPts, ino: int, device: int, attributes: tuple[int, int, int]
    ) -> None:
        self.filesystem = pts
        self.ino = ino
        self.device = device
        self.mode, self.uid, self.gid = attributes
        self.atime = self.mtime = self.ctime = 0

    @property
    def kind(self) -> int:
        return stat.S_IFCHR

    def stat(self) -> Stat:
        times = self.atime, self.mtime, self.ctime
        owner = self.uid, self.gid
        mode = stat.S_IFCHR | self.mode
        return Stat(self.filesystem.device, self.ino, mode, 1, *owner, self.device, 0, *times, 1024)

    def chmod(self, mode: int) -> None:
        self._require_owner()
        self.mode = mode & 0o7777

    def chown(self, uid: int, gid: int) -> None:
        credentials = self.filesystem.opener.fs.credentials
        own_group = gid in (-1, self.gid, credentials.gid) or gid in credentials.groups
        if not credentials.is_privileged and (
            uid not in (-1, self.uid) or credentials.uid != self.uid or not own_group
        ):
            raise Errno(EPERM)
        self.uid = self.uid if uid == -1 else uid
        self.gid = self.gid if gid == -1 else gid

    def set_times(self, atime: int | None, mtime: int | None) -> None:
        self.atime = self.atime if atime is None else atime
        self.mtime = self.mtime if mtime is None else mtime

    def _require_owner(self) -> None:
        credentials = self.filesystem.opener.fs.credentials
        if not credentials.is_privileged and credentials.uid != self.uid:
            raise Errno(EPERM)


class Slave(PtsNode):
    """The node of a slave, /dev/pts/N."""

    def __init__(self, pts: DevPts, pty: Pty, owner: int, now: int) -> None:
        super().__init__(pts, pty.number + _FIRST_INO, pty.device, (0o620, owner, _TTY_GROUP))
        self.pty = pty
        self.atime = self.mtime = self.ctime = now

    def open(self, flags: int, path: str) -> OpenFile:
        return self.pty.open_as(self, flags, path)


class Ptmx(PtsNode):
    """The node ptmx: each open(2) of it makes a pair, and returns its master."""

    def __init__(self, pts: DevPts) -> None:
        super().__init__(pts, _PTMX_INO, makedev(5, 2), (0o666, 0, 0))

    def open(self, flags: int, path: str) -> OpenFile:
        pts = self.filesystem
        slave = pts.new_slave()
        pty = slave.pty
        return MasterFile(
            pty, self, flags, path,
            lambda flags: pty.open_as(slave, flags, pty.name), lambda: pts.forget(pty),
        )  # fmt: skip


class PtsDirectory(Inode):
    """/dev/pts."""

    filesystem: DevPts

    def __init__(self, pts: DevPts) -> None:
        self.filesystem = pts

    @property
    def kind(self) -> int:
        return stat.S_IFDIR

    def stat(self) -> Stat:
        mode = stat.S_IFDIR | 0o755
        return Stat(self.filesystem.device, _ROOT_INO, mode, 2, 0, 0, 0, 0, 0, 0, 0)

    def lookup(self, name: str) -> Inode:
        pts = self.filesystem
        if name == "ptmx":
            return pts.ptmx
        number = int(name) if name.isascii() and name.isdigit() and len(name) < 6 else -1
        slave = pts.slaves.get(number)
        if slave is None or str(number) != name or not slave.pty.master_is_open:
            raise Errno(ENOENT)
        return slave

    def entries(self) -> Iterable[tuple[str, int, int]]:
        yield "ptmx", _PTMX_INO, DT_CHR
        for number, slave in sorted(self.filesystem.slaves.items()):
            if slave.pty.master_is_open:
                yield str(number), slave.ino, DT_CHR

    def create(self, name: str, mode: int) -> Inode:
        raise Errno(EACCES)
