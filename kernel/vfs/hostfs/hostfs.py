"""A folder of the host that the guest was granted, read-only or read-write.

No access leads out of the folder. Nodes are reached from the folder's own descriptor by single
names with O_NOFOLLOW: the host never resolves a path, a ".." or a link. A node that was replaced
between lookup and open is detected by its device and inode numbers. Links are texts, which are
resolved in the guest's tree (kernel.vfs.names.path_walk). Devices, fifos and sockets of the host
are visible but cannot be opened.
"""

from __future__ import annotations

import os
import stat
from weakref import WeakValueDictionary

from kernel.base.errno import EACCES, EINVAL, EOPNOTSUPP, EROFS, ESTALE, EXDEV
from kernel.base.errors import Errno, from_host
from kernel.vfs.core.filesystem import HOST_MAGIC, FileSystem, StatFs
from kernel.vfs.core.inode import Inode, Stat
from kernel.vfs.core.linux_abi import makedev
from kernel.vfs.core.open_file import OpenFile, SpecialInode
from kernel.vfs.hostfs.descriptors import HostFds

O_WALK = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY
"""Flags to open a directory for openat(2); with O_PATH also one without read permission."""

SAFE_MODE = 0o1777
"""Mode bits that a guest may set on the host: without set-user-ID and set-group-ID."""


def host_text(text: str) -> bytes:
    """Encodes a text of the guest, such as a link's target, for the host."""
    return text.encode("utf-8", "surrogateescape")


def host_name(name: str) -> bytes:
    """Encodes a single name; EINVAL for one that could refer to another directory."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise Errno(EINVAL)
    return host_text(name)


def guest_name(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def guest_stat(status: os.stat_result) -> Stat:
    """Converts the host's attributes to the guest's."""
    return Stat(
        makedev(os.major(status.st_dev), os.minor(status.st_dev)),
        status.st_ino, status.st_mode, status.st_nlink, status.st_uid, status.st_gid,
        makedev(os.major(status.st_rdev), os.minor(status.st_rdev)),
        status.st_size, status.st_atime_ns, status.st_mtime_ns, status.st_ctime_ns,
        4096, status.st_blocks * 512,
    )  # fmt: skip


class HostFs(FileSystem):
    """The tree below the host folder ``path`` (made by ``directory.open_folder``). Several file
    systems may share ``fds``, which has the descriptors and the disk.
    """

    def __init__(self, path: str, *, read_only: bool, fds: HostFds, number: int = 0) -> None:
        super().__init__("hostfs", HOST_MAGIC, number=number, read_only=read_only)
        self.fds = fds
        self.disk = fds.disk
        self.path = path
        self.nodes: WeakValueDictionary[tuple[int, int], HostNode] = WeakValueDictionary()
        self.root: HostNode

    def check_writable(self) -> None:
        if self.read_only:
            raise Errno(EROFS)

    def statfs(self) -> StatFs:
        try:
            host = os.statvfs(self.root.fd())
        except OSError as error:
            raise from_host(error) from None
        return StatFs(
            self.magic, host.f_frsize, host.f_blocks, host.f_bfree, host.f_bavail,
            host.f_files, host.f_ffree,
        )  # fmt: skip


class HostNode(Inode):
    """A node of the host: the location where it was last found, and its identity."""

    filesystem: HostFs

    def __init__(
        self, filesystem: HostFs, directory: HostNode | None, name: str, status: os.stat_result
    ) -> None:
        self.filesystem = filesystem
        self.directory = directory
        """The directory in which it was last found; None for the root."""
        self.entry = host_name(name) if directory is not None else b"."
        self.identity = (status.st_dev, status.st_ino)
        self._kind = stat.S_IFMT(status.st_mode)

    @property
    def kind(self) -> int:
        return self._kind

    def is_pinned(self) -> bool:
        """True when its descriptors must stay open."""
        return False

    def close_fds(self) -> None:
        """Closes its descriptors."""

    def fd(self) -> int:
        """Returns a descriptor of a directory, for openat(2)."""
        raise Errno(EACCES)

    def stat(self) -> Stat:
        return guest_stat(self.host_stat())

    def host_stat(self) -> os.stat_result:
        """Returns the host's attributes; ESTALE when another node has replaced this one."""
        assert self.directory is not None
        try:
            status = os.stat(self.entry, dir_fd=self.directory.fd(), follow_symlinks=False)
        except OSError as error:
            raise from_host(error) from None
        if (status.st_dev, status.st_ino) != self.identity:
            raise Errno(ESTALE)
        return status

    def open_host(self, flags: int) -> int:
        """Opens this node on the host; ESTALE when another node has replaced it."""
        assert self.directory is not None
        fd = self.filesystem.fds.open(self.entry, flags, self.directory)
        status = os.fstat(fd)
        if (status.st_dev, status.st_ino) != self.identity or (
            stat.S_IFMT(status.st_mode) != self._kind
        ):
            os.close(fd)
            raise Errno(ESTALE)
        return fd

    def set_location(self, directory: HostNode, name: str) -> None:
        """Records that it is ``name`` in ``directory`` now."""
        self.directory, self.entry = directory, host_name(name)

    def chmod(self, mode: int) -> None:
        self.filesystem.check_writable()
        self.host_stat()
        try:
            self._host_chmod(mode & SAFE_MODE)
        except OSError as error:
            raise from_host(error) from None

    def _host_chmod(self, mode: int) -> None:
        fd = self.open_host(os.O_RDONLY)
        try:
            os.fchmod(fd, mode)
        finally:
            os.close(fd)

    def chown(self, uid: int, gid: int) -> None:
        self.filesystem.check_writable()
        self.host_stat()
        assert self.directory is not None
        try:
            os.chown(self.entry, uid, gid, dir_fd=self.directory.fd(), follow_symlinks=False)
        except OSError as error:
            raise from_host(error) from None

    def set_times(self, atime: int | None, mtime: int | None) -> None:
        self.filesystem.check_writable()
        now = self.host_stat()
        times = (
            now.st_atime_ns if atime is None else atime,
            now.st_mtime_ns if mtime is None else mtime,
        )
        assert self.directory is not None
        try:
            os.utime(self.entry, ns=times, dir_fd=self.directory.fd(), follow_symlinks=False)
        except OSError as error:
            raise from_host(error) from None


class HostLink(HostNode):
    """A symbolic link of the host, of which only the text is used."""

    def readlink(self) -> str:
        assert self.directory is not None
        try:
            return guest_name(os.readlink(self.entry, dir_fd=self.directory.fd()))
        except OSError as error:
            raise from_host(error) from None

    def _host_chmod(self, mode: int) -> None:
        raise Errno(EOPNOTSUPP)


class HostSpecial(HostNode, SpecialInode):
    """A device, fifo or socket of the host: it is listed and can be removed, but not opened."""

    def open(self, flags: int, path: str) -> OpenFile:
        raise Errno(EACCES)

    def _host_chmod(self, mode: int) -> None:
        raise Errno(EACCES)


def check_same_folder(to: Inode, filesystem: HostFs) -> None:
    """EXDEV unless ``to`` belongs to the same granted folder."""
    if to.filesystem is not filesystem:
        raise Errno(EXDEV)
