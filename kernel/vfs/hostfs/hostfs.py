"""A folder of the host that the guest was granted, read-only or read-write.

Nothing here can lead out of the folder. A node of the host is only ever reached from the folder's
own descriptor, one single name at a time, with O_NOFOLLOW: the host never resolves a path, a ".."
or a link, and what is swapped between a look and an opening is noticed (the device and inode
numbers are compared once it is open). Links are texts, resolved in the guest's tree (path.py).
Devices, fifos and sockets of the host can be seen but not opened.
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
"""Opens a directory for going on from it; with O_PATH also one that may not be listed."""

SAFE_MODE = 0o1777
"""The mode bits a guest may set on the host: never set-user-ID or set-group-ID."""


def host_text(text: str) -> bytes:
    """A guest's text (a link's target) as the host's bytes."""
    return text.encode("utf-8", "surrogateescape")


def host_name(name: str) -> bytes:
    """A single guest name as the host's bytes; nothing that could mean another directory."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise Errno(EINVAL)
    return host_text(name)


def guest_name(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def guest_stat(status: os.stat_result) -> Stat:
    """The host's stat as the guest's."""
    return Stat(
        makedev(os.major(status.st_dev), os.minor(status.st_dev)),
        status.st_ino, status.st_mode, status.st_nlink, status.st_uid, status.st_gid,
        makedev(os.major(status.st_rdev), os.minor(status.st_rdev)),
        status.st_size, status.st_atime_ns, status.st_mtime_ns, status.st_ctime_ns,
        4096, status.st_blocks * 512,
    )  # fmt: skip


class HostFs(FileSystem):
    """The tree below the host folder ``path`` (hostdir.granted_folder makes one). ``fds`` may be
    shared by several of them.
    """

    def __init__(self, path: str, *, read_only: bool, fds: HostFds, number: int = 0) -> None:
        super().__init__("hostfs", HOST_MAGIC, number=number, read_only=read_only)
        self.fds = fds
        self.path = path
        self.nodes: WeakValueDictionary[tuple[int, int], HostNode] = WeakValueDictionary()
        self.root: HostNode

    def need_writable(self) -> None:
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
    """A node of the host: where it was last seen, and which one it is."""

    filesystem: HostFs

    def __init__(
        self, filesystem: HostFs, directory: HostNode | None, name: str, status: os.stat_result
    ) -> None:
        self.filesystem = filesystem
        self.directory = directory
        """The directory it was last found in; None for the root."""
        self.entry = host_name(name) if directory is not None else b"."
        self.identity = (status.st_dev, status.st_ino)
        self._kind = stat.S_IFMT(status.st_mode)

    @property
    def kind(self) -> int:
        return self._kind

    def pinned(self) -> bool:
        """Whether its descriptors have to stay open."""
        return False

    def close_fds(self) -> None:
        """Gives its descriptors back to the host."""

    def fd(self) -> int:
        """A descriptor of a directory, for going on from it."""
        raise Errno(EACCES)

    def stat(self) -> Stat:
        return guest_stat(self.host_stat())

    def host_stat(self) -> os.stat_result:
        """ESTALE when another node has taken its place."""
        assert self.directory is not None
        try:
            status = os.stat(self.entry, dir_fd=self.directory.fd(), follow_symlinks=False)
        except OSError as error:
            raise from_host(error) from None
        if (status.st_dev, status.st_ino) != self.identity:
            raise Errno(ESTALE)
        return status

    def open_host(self, flags: int) -> int:
        """Opens this very node on the host; ESTALE when another one has taken its place."""
        assert self.directory is not None
        fd = self.filesystem.fds.open(self.entry, flags, self.directory)
        status = os.fstat(fd)
        if (status.st_dev, status.st_ino) != self.identity or (
            stat.S_IFMT(status.st_mode) != self._kind
        ):
            os.close(fd)
            raise Errno(ESTALE)
        return fd

    def moved(self, directory: HostNode, name: str) -> None:
        """It is now at ``name`` in ``directory``."""
        self.directory, self.entry = directory, host_name(name)

    def chmod(self, mode: int) -> None:
        self.filesystem.need_writable()
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
        self.filesystem.need_writable()
        self.host_stat()
        assert self.directory is not None
        try:
            os.chown(self.entry, uid, gid, dir_fd=self.directory.fd(), follow_symlinks=False)
        except OSError as error:
            raise from_host(error) from None

    def set_times(self, atime: int | None, mtime: int | None) -> None:
        self.filesystem.need_writable()
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
    """A symbolic link of the host: only its text is used."""

    def readlink(self) -> str:
        assert self.directory is not None
        try:
            return guest_name(os.readlink(self.entry, dir_fd=self.directory.fd()))
        except OSError as error:
            raise from_host(error) from None

    def _host_chmod(self, mode: int) -> None:
        raise Errno(EOPNOTSUPP)


class HostSpecial(HostNode, SpecialInode):
    """A device, fifo or socket of the host: it can be seen, and removed, but not opened."""

    def open(self, flags: int, path: str) -> OpenFile:
        raise Errno(EACCES)

    def _host_chmod(self, mode: int) -> None:
        raise Errno(EACCES)


def same_host(to: Inode, filesystem: HostFs) -> None:
    """EXDEV unless ``to`` is of the same granted folder."""
    if to.filesystem is not filesystem:
        raise Errno(EXDEV)
