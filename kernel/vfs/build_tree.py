"""Builds the guest's tree of files from what the user granted."""

from __future__ import annotations

import itertools
import os
import resource
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from kernel.base.budget import Budget
from kernel.base.errno import error_text
from kernel.base.errors import Errno
from kernel.vfs.core.credentials import Credentials
from kernel.vfs.core.filesystem import TMPFS_MAGIC, FileSystem
from kernel.vfs.core.inode import Inode
from kernel.vfs.hostfs.descriptors import DEFAULT_OPEN_NODES, HostFds
from kernel.vfs.hostfs.directory import open_folder
from kernel.vfs.hostfs.disk import Disk
from kernel.vfs.hostfs.overlay import OverlayFs
from kernel.vfs.memfs.memfs import MemDir, MemFs
from kernel.vfs.memfs.read_only import StaticDir, StaticLink, StaticText
from kernel.vfs.memfs.sparse_bytes import PAGE, HostPages, PageStore
from kernel.vfs.names.fs_context import FsContext
from kernel.vfs.names.namespace import Namespace
from kernel.vfs.names.path_walk import walk
from kernel.vfs.tty.devices import Device, no_space

LIBRARY_FOLDERS = ("lib", "lib64", "usr/lib", "usr/lib64")


class Grants(NamedTuple):
    """Files of the host that are visible to the guest. All paths are the host's."""

    cwd: str
    """Initial working directory, mounted read-only at the same path in the guest; with ``root``,
    a path in the guest."""
    program: str | None = None
    """A file that is visible at its own path, without its directory."""
    ro: Sequence[tuple[str, str]] = ()
    """Pairs of (host folder or file, guest path) that the guest may read."""
    rw: Sequence[tuple[str, str]] = ()
    """Pairs of (host folder, guest path) that the guest may write."""
    root: str | None = None
    """The guest's ``/``; the guest's changes stay in memory."""
    lib_root: str | None = None
    """A sysroot whose libraries are mounted at /lib and /usr/lib when there is no ``root``."""
    memory_limit: int | None = None
    """Maximum size in bytes of each file system in memory; None: half of the machine's memory."""


_HOSTS = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"


@dataclass(frozen=True, slots=True)
class Services:
    """Services of the machine that the tree uses."""

    now: Callable[[], int] = time.time_ns
    """Nanoseconds since 1970."""
    random: Callable[[int], bytes] = os.urandom
    credentials: Credentials = field(default_factory=Credentials.of_host)
    """The guest's user."""
    pages: PageStore = field(default_factory=HostPages)
    """Allocator of the pages of files in memory."""
    budget: Budget = field(default_factory=Budget)
    """Budget of the kernel's objects for files."""
    disk: Disk = field(default_factory=Disk)
    """Reader of the host's files."""


def build_namespace(grants: Grants, services: Services | None = None) -> Namespace:
    """Builds the guest's tree, without /proc (see proc.system.mount_proc).

    Raises OSError when a granted folder cannot be opened.
    """
    return _Builder(grants, services or Services()).build()


def first_context(namespace: Namespace, grants: Grants, services: Services) -> FsContext:
    """Returns the first process's view; Errno when its directory does not exist."""
    host_umask = os.umask(0o022)
    os.umask(host_umask)
    fs = FsContext(namespace, namespace.root, host_umask, services.credentials)
    fs.cwd = walk(fs, namespace.root, os.path.abspath(grants.cwd) + "/").require_node()
    return fs


def _depth(guest: str) -> int:
    return len([name for name in guest.split("/") if name])


class _Builder:
    def __init__(self, grants: Grants, services: Services) -> None:
        self.grants = grants
        self.services = services
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        limit = DEFAULT_OPEN_NODES if soft < 0 else min(DEFAULT_OPEN_NODES, max(16, soft // 4))
        self.fds = HostFds(limit, services.disk)
        self.numbers = itertools.count(16)
        self.fixed = FileSystem("tmpfs", TMPFS_MAGIC, number=0, read_only=True)

    def build(self) -> Namespace:
        grants = self.grants
        if grants.root is not None:
            overlay = self._overlay(grants.root)
            _add_hosts(overlay)
            root: Inode = overlay
        else:
            root = StaticDir(self.fixed)
        self.namespace = Namespace(root, memory_files=self._memory_fs(5, 0o755, whole=True))
        if grants.root is None:
            self._libraries()
            self._etc()
        self.namespace.mount("/tmp", self._memory(0o1777))
        self._devices()
        # Deeper paths are mounted later; for one path, the last mount has priority.
        given = [(guest, host, True) for host, guest in grants.ro]
        given += [(guest, host, False) for host, guest in grants.rw]
        given.sort(key=lambda grant: _depth(grant[0]))
        cwd_depth = _depth(os.path.realpath(grants.cwd)) if grants.root is None else 0
        shallow = [grant for grant in given if _depth(grant[0]) < cwd_depth]
        self._mount(shallow)
        if grants.root is None:
            self._cwd()
        self._mount(given[len(shallow) :])
        if grants.program is not None:
            self._program(grants.program)
        return self.namespace

    def _mount(self, given: Sequence[tuple[str, str, bool]]) -> None:
        """Mounts each (guest path, host path, read-only), in this order."""
        for guest, host, read_only in given:
            self._mount_node(guest, self._open_grant(host, read_only=read_only))

    def _open_grant(self, host: str, *, read_only: bool) -> Inode:
        """Opens a folder, or a single file that the guest may read."""
        real = os.path.realpath(host)
        if not read_only or not os.path.isfile(real):
            return self._folder(host, read_only=read_only)
        return self._folder(os.path.dirname(real), read_only=True).lookup(os.path.basename(real))

    def _folder(self, host: str, *, read_only: bool) -> Inode:
        number = next(self.numbers)
        return open_folder(host, read_only=read_only, fds=self.fds, number=number).root

    def _overlay(self, host: str) -> MemDir:
        filesystem = OverlayFs(
            self._folder(host, read_only=True),
            now=self.services.now,
            number=next(self.numbers),
            limit=self.grants.memory_limit,
            owner=self.services.credentials,
            pages=self.services.pages,
            budget=self.services.budget,
        )
        return filesystem.root

    def _memory(self, mode: int) -> Inode:
        return self._memory_fs(next(self.numbers), mode).root

    def _memory_fs(self, number: int, mode: int, *, whole: bool = False) -> MemFs:
        """Creates a tmpfs, limited to half of the memory as in tmpfs(5), or to the ``whole``."""
        limit = self.grants.memory_limit
        if limit is None and whole:
            limit = self.services.pages.total * PAGE
        return MemFs(
            number=number,
            limit=limit,
            now=self.services.now,
            mode=mode,
            owner=self.services.credentials,
            pages=self.services.pages,
            budget=self.services.budget,
        )

    def _mount_node(self, guest: str, node: Inode) -> None:
        """Mounts ``node``; at ``/`` it replaces the root."""
        try:
            if guest.strip("/"):
                self.namespace.mount(guest, node)
            else:
                self.namespace.replace_root(node)
        except Errno as error:
            raise OSError(error.errno, f"{error_text(error.errno)} in the guest", guest) from None

    def _libraries(self) -> None:
        sysroot = self.grants.lib_root
        for name in LIBRARY_FOLDERS if sysroot is not None else ():
            assert sysroot is not None
            host = os.path.join(sysroot, name)
            if os.path.isdir(host):
                self.namespace.mount("/" + name, self._folder(host, read_only=True))

    def _etc(self) -> None:
        owner = self.services.credentials
        user = "" if owner.uid == 0 else f"user:x:{owner.uid}:{owner.gid}:user:/:/bin/sh\n"
        group = "" if owner.gid == 0 else f"user:x:{owner.gid}:\n"
        etc = StaticDir(self.fixed)
        etc.put("passwd", StaticText(self.fixed, f"root:x:0:0:root:/root:/bin/sh\n{user}"))
        etc.put("group", StaticText(self.fixed, f"root:x:0:\n{group}"))
        etc.put(
            "nsswitch.conf", StaticText(self.fixed, "passwd: files\ngroup: files\nhosts: files\n")
        )
        etc.put("hosts", StaticText(self.fixed, _HOSTS))
        etc.put("mtab", StaticLink(self.fixed, "/proc/self/mounts"))
        self.namespace.mount("/etc", etc)

    def _devices(self) -> None:
        files = FileSystem("devtmpfs", TMPFS_MAGIC, number=7)
        dev, random = StaticDir(files), self.services.random
        dev.put("null", Device(files, (1, 3), lambda count: b""))
        dev.put("zero", Device(files, (1, 5), bytes))
        dev.put("full", Device(files, (1, 7), bytes, no_space))
        dev.put("random", Device(files, (1, 8), random))
        dev.put("urandom", Device(files, (1, 9), random))
        dev.put("tty", self.namespace.tty)
        for name, fd in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
            dev.put(name, StaticLink(files, f"/proc/self/fd{fd}"))
        dev.put("ptmx", StaticLink(files, "pts/ptmx"))
        self.namespace.mount("/dev", dev)
        self.namespace.mount("/dev/pts", self.namespace.pts.root)
        self.namespace.mount("/dev/shm", self._memory(0o1777))

    def _cwd(self) -> None:
        """Mounts the working directory, unless it lies in a folder that the guest may write."""
        cwd = os.path.realpath(self.grants.cwd)
        for host, guest in self.grants.rw:
            inside = os.path.commonpath([os.path.realpath(host), cwd]) == os.path.realpath(host)
            if inside and os.path.realpath(host) == os.path.normpath(guest):
                return
        if cwd == "/tmp":  # the user's folder, with the guest's changes in memory
            self._mount_node(cwd, self._overlay(cwd))
        else:
            self._mount_node(cwd, self._folder(cwd, read_only=True))

    def _program(self, program: str) -> None:
        """Mounts the program's file, unless it is visible already."""
        real, shown = os.path.realpath(program), os.path.abspath(program)
        try:
            folder = open_folder(os.path.dirname(real), read_only=True, fds=self.fds, number=8)
            node = folder.root.lookup(os.path.basename(real))
        except (Errno, OSError):
            return  # the loader reports the reason
        fs = FsContext(self.namespace, self.namespace.root, 0, self.services.credentials)
        try:
            visible = walk(fs, fs.root, shown).require_node().stat()
        except Errno:
            self._mount_program(node, shown, real)
            return
        if (visible.dev, visible.ino) != (node.stat().dev, node.stat().ino):
            self._mount_program(node, shown, real)

    def _mount_program(self, node: Inode, shown: str, real: str) -> None:
        """Mounts it at the path the user gave; at the resolved path if that contains a link."""
        try:
            self.namespace.mount(shown, node)
        except Errno:
            self._mount_node(real, node)


def _add_hosts(root: MemDir) -> None:
    """Adds /etc/hosts to a root without it, in memory, so that ``localhost`` is known."""
    with suppress(Errno):
        etc = root.find("etc")
        if isinstance(etc, MemDir) and etc.find("hosts") is None:
            etc.create("hosts", 0o644).write_at(0, _HOSTS.encode())
