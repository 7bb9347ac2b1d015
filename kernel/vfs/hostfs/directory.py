"""A directory of a granted folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from weakref import WeakValueDictionary

from kernel.base.errno import EEXIST, EIO, ENOENT, EPERM, EXDEV
from kernel.base.errors import Errno, from_host
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.tree_checks import check_not_below
from kernel.vfs.hostfs.descriptors import HostFds
from kernel.vfs.hostfs.file import HostFile
from kernel.vfs.hostfs.hostfs import (
    O_WALK,
    SAFE_MODE,
    HostFs,
    HostLink,
    HostNode,
    HostSpecial,
    check_same_folder,
    guest_name,
    host_name,
    host_text,
)

_host_umask = os.umask(0o022)
os.umask(_host_umask)


class HostDir(HostNode):
    """A directory of the host; its descriptor is reopened from its parent after it was closed."""

    def __init__(
        self, filesystem: HostFs, directory: HostNode | None, name: str, status: os.stat_result
    ) -> None:
        super().__init__(filesystem, directory, name, status)
        self._fd: int | None = None
        self._pins = 0
        self._directories: WeakValueDictionary[str, HostDir] = WeakValueDictionary()

    def __del__(self) -> None:
        self.close_fds()

    def is_pinned(self) -> bool:
        return self.directory is None or self._pins > 0

    @contextmanager
    def pinned_fd(self) -> Iterator[int]:
        """Keeps its descriptor open for the duration of the block."""
        self._pins += 1
        try:
            yield self.fd()
        finally:
            self._pins -= 1

    def close_fds(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def fd(self) -> int:
        fd = self._fd
        if fd is None:
            fd = self._open_from_ancestor()
        if self.directory is not None:
            self.filesystem.fds.mark_used(self)
        return fd

    def _open_from_ancestor(self) -> int:
        """Opens it and its closed ancestors, downwards from the nearest open one."""
        closed: list[HostDir] = [self]
        ancestor = self.directory
        while isinstance(ancestor, HostDir) and ancestor._fd is None:
            closed.append(ancestor)
            ancestor = ancestor.directory
        fd = -1
        for node in reversed(closed):
            fd = node._fd = node.open_host(O_WALK)
            self.filesystem.fds.mark_used(node)
        return fd

    def host_stat(self) -> os.stat_result:
        try:
            return os.fstat(self.fd())
        except OSError as error:
            raise from_host(error) from None

    # Reading.

    def lookup(self, name: str) -> Inode:
        host = host_name(name)
        try:
            status = os.stat(host, dir_fd=self.fd(), follow_symlinks=False)
        except OSError as error:
            raise from_host(error) from None
        return self._node(name, status)

    def _node(self, name: str, status: os.stat_result) -> HostNode:
        if stat.S_ISDIR(status.st_mode):
            return self._directory(name, status)
        if stat.S_ISLNK(status.st_mode):
            return HostLink(self.filesystem, self, name, status)
        if not stat.S_ISREG(status.st_mode):
            return HostSpecial(self.filesystem, self, name, status)
        # One node for all names of a file, so that shared mappings of it are the same pages.
        node = self.filesystem.nodes.get((status.st_dev, status.st_ino))
        if node is None:
            node = HostFile(self.filesystem, self, name, status)
            self.filesystem.nodes[node.identity] = node
        else:
            node.set_location(self, name)
        return node

    def _directory(self, name: str, status: os.stat_result) -> HostDir:
        cached = self._directories.get(name)
        if cached is not None and cached.identity == (status.st_dev, status.st_ino):
            return cached
        node = HostDir(self.filesystem, self, name, status)
        node.parent, node.name = self, name
        self._directories[name] = node
        return node

    def entries(self) -> Iterable[tuple[str, int, int]]:
        fd = self.filesystem.fds.open(b".", os.O_RDONLY | os.O_DIRECTORY, self)
        try:
            with os.scandir(fd) as entries:
                return [self._entry(entry) for entry in entries]
        except OSError as error:
            raise from_host(error) from None
        finally:
            os.close(fd)

    def _entry(self, entry: os.DirEntry[str]) -> tuple[str, int, int]:
        return guest_name(os.fsencode(entry.name)), entry.inode(), _type(entry)

    # Changing.

    def _change(self, act: Callable[[int], None]) -> None:
        """Calls ``act`` with this directory's descriptor, if the folder may be written."""
        self.filesystem.check_writable()
        try:
            act(self.fd())
        except OSError as error:
            raise from_host(error) from None

    def _check_absent(self, name: str) -> None:
        try:
            self.lookup(name)
        except Errno as error:
            if error.errno == ENOENT:
                return
            raise
        raise Errno(EEXIST)

    def create(self, name: str, mode: int) -> Inode:
        self._check_absent(name)
        self.filesystem.check_writable()
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
        mode &= SAFE_MODE
        fd = self.filesystem.fds.open(host_name(name), flags, self, mode)
        try:
            if mode & _host_umask:
                os.fchmod(fd, mode)
            node = self._node(name, os.fstat(fd))
        except OSError as error:
            os.close(fd)
            raise from_host(error) from None
        if not isinstance(node, HostFile):
            os.close(fd)
            raise Errno(EIO)
        node.adopt(fd)
        return node

    def mkdir(self, name: str, mode: int) -> Inode:
        self._check_absent(name)
        self._change(lambda fd: os.mkdir(host_name(name), mode & SAFE_MODE, dir_fd=fd))
        node = self.lookup(name)
        if mode & _host_umask:
            node.chmod(mode)
        return node

    def symlink(self, name: str, target: str) -> Inode:
        self._check_absent(name)
        self._change(lambda fd: os.symlink(host_text(target), host_name(name), dir_fd=fd))
        return self.lookup(name)

    def mkfifo(self, name: str, mode: int) -> Inode:
        self._check_absent(name)
        self.filesystem.check_writable()
        raise Errno(EPERM)  # a fifo of the guest is not created on the host

    def link(self, name: str, node: Inode) -> None:
        self._check_absent(name)
        self.filesystem.check_writable()
        if not isinstance(node, HostFile | HostLink) or node.filesystem is not self.filesystem:
            raise Errno(EXDEV)
        source = node.directory
        assert isinstance(source, HostDir)
        node.host_stat()
        old, new = node.entry, host_name(name)
        with source.pinned_fd() as from_fd:
            self._change(
                lambda fd: os.link(
                    old, new, src_dir_fd=from_fd, dst_dir_fd=fd, follow_symlinks=False
                )
            )

    def unlink(self, name: str) -> None:
        node = self.lookup(name)
        self._change(lambda fd: os.unlink(host_name(name), dir_fd=fd))
        if isinstance(node, HostFile):
            node.after_unlink()

    def rmdir(self, name: str) -> None:
        node = self.lookup(name)
        self._change(lambda fd: os.rmdir(host_name(name), dir_fd=fd))
        self._directories.pop(name, None)
        node.parent = None

    def rename(self, name: str, to: Inode, new_name: str) -> None:
        self.filesystem.check_writable()
        check_same_folder(to, self.filesystem)
        assert isinstance(to, HostDir)
        node = self.lookup(name)
        check_not_below(node, to)
        replaced = to._find(new_name)
        with to.pinned_fd() as to_fd:
            self._change(
                lambda fd: os.rename(
                    host_name(name), host_name(new_name), src_dir_fd=fd, dst_dir_fd=to_fd
                )
            )
        if replaced is not None and replaced is not node:
            to._directories.pop(new_name, None)
            replaced.parent = None
            if isinstance(replaced, HostFile):
                replaced.after_unlink()
        self._rename_entry(node, name, to, new_name)

    def _find(self, name: str) -> Inode | None:
        try:
            return self.lookup(name)
        except Errno:
            return None

    def _rename_entry(self, node: Inode, name: str, to: HostDir, new_name: str) -> None:
        if isinstance(node, HostNode):
            node.set_location(to, new_name)
        if isinstance(node, HostDir):
            self._directories.pop(name, None)
            to._directories[new_name] = node
            node.parent, node.name = to, new_name

    def _host_chmod(self, mode: int) -> None:
        fd = self.filesystem.fds.open(b".", os.O_RDONLY | os.O_DIRECTORY, self)
        try:
            os.fchmod(fd, mode)
        finally:
            os.close(fd)

    def set_times(self, atime: int | None, mtime: int | None) -> None:
        if self.directory is None:
            raise Errno(EPERM)
        super().set_times(atime, mtime)

    def chown(self, uid: int, gid: int) -> None:
        if self.directory is None:
            raise Errno(EPERM)
        super().chown(uid, gid)


def open_folder(path: str, *, read_only: bool, fds: HostFds, number: int = 0) -> HostFs:
    """Returns the host folder ``path`` as a file system; OSError when it cannot be opened."""
    filesystem = HostFs(path, read_only=read_only, fds=fds, number=number)
    fd = os.open(path, O_WALK | os.O_CLOEXEC)
    root = HostDir(filesystem, None, "", os.fstat(fd))
    root._fd = fd
    root.parent = filesystem.root = root
    return filesystem


def _type(entry: os.DirEntry[str]) -> int:
    """Returns the DT_ type of an entry."""
    if entry.is_symlink():
        return stat.S_IFLNK >> 12
    if entry.is_dir(follow_symlinks=False):
        return stat.S_IFDIR >> 12
    if entry.is_file(follow_symlinks=False):
        return stat.S_IFREG >> 12
    return 0
