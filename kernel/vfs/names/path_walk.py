"""The path walk: from a text to a node, one component after the other (path_resolution(7)).

Everything is resolved here, in the guest's own tree. A file system only ever sees single names, so
no "..", link or absolute path can mean anything to it, and the host resolves nothing.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass

from kernel.base.errno import ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EROFS
from kernel.base.errors import Errno
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.linux_abi import MAX_LINKS, NAME_MAX, PATH_MAX
from kernel.vfs.names.fs_context import FsContext


@dataclass(slots=True)
class Found:
    """Where a path led."""

    parent: Inode
    """The directory in which the last component was looked for."""
    name: str
    """The last component; ".", ".." or "/" when it was no name."""
    node: Inode | None
    """None when the last component is not there."""
    directory_meant: bool
    """The path ended so that only a directory can be meant: in "/", "." or ".."."""
    shown: str | None = None
    """The name of what a link of /proc led to without a path being walked."""

    def need(self) -> Inode:
        """The node; ENOENT when there is none, ENOTDIR when a directory was meant."""
        if self.node is None:
            raise Errno(ENOENT)
        if self.directory_meant and self.node.kind != stat.S_IFDIR:
            raise Errno(ENOTDIR)
        return self.node

    @property
    def named(self) -> bool:
        """Whether the last component is a name that could be made or removed."""
        return self.name not in (".", "..", "/")


def walk(
    fs: FsContext, start: Inode, path: str, *, follow: bool = True, creating: bool = False
) -> Found:
    """Resolves ``path`` from directory ``start``; ``follow`` says whether a link at the end is
    followed (it always is when a directory is meant).

    ELOOP after 40 links, ENAMETOOLONG, ENOENT, ENOTDIR and EACCES as path_resolution(7) says. When
    the path is walked for ``creating`` something, a directory that was not granted is EROFS and is
    remembered: it may well be there on the host, but the guest may not write in it.
    """
    if not path:
        raise Errno(ENOENT)
    steps = _Walk(fs, start, follow)
    found = steps.run(path)
    if found is not None:
        return found
    if creating and fs.namespace.stands_for_host(steps.at):
        fs.namespace.refuse(path)
        raise Errno(EROFS)
    raise Errno(ENOENT)


class _Walk:
    """One resolution: where it is, what it found last, and the components still to go."""

    def __init__(self, fs: FsContext, start: Inode, follow: bool) -> None:
        self.fs = fs
        self.at = start
        self.found = Found(start, ".", start, True)
        self.follow = follow
        self.directory_meant = False
        self.pending: list[str] = []
        self.links = 0

    def run(self, path: str) -> Found | None:
        """Where the path leads; None when a directory on the way is missing in ``at``."""
        self._push(path)
        while self.pending:
            self.found = self._step(self.pending.pop())
            node = self.found.node
            if node is None:
                if self.pending:
                    return None
            elif node.kind == stat.S_IFLNK and self._goes_through():
                self._go_through(node)
            else:
                self.at = node
        self.found.directory_meant = self.directory_meant
        return self.found

    def _push(self, path: str) -> None:
        """Puts the components of ``path`` before the pending ones."""
        if len(path) >= PATH_MAX:
            raise Errno(ENAMETOOLONG)
        if path[0] == "/":
            self.at = self.fs.root
            self.found = Found(self.at, "/", self.at, True)
        names = [name for name in path.split("/") if name]
        if not self.pending and (path[-1] == "/" or names[-1] in (".", "..")):
            self.directory_meant = True
        self.pending.extend(reversed(names))

    def _step(self, name: str) -> Found:
        """Looks ``name`` up in the directory at hand."""
        here = self.at
        if name == ".":
            _need_directory(here)
            return Found(here, name, here, False)
        if name == "..":
            return Found(here, name, self._above(here), False)
        if len(name) * 4 > NAME_MAX and len(name.encode("utf-8", "surrogateescape")) > NAME_MAX:
            raise Errno(ENAMETOOLONG)
        here.check_search(self.fs.who)
        try:
            return Found(here, name, self.fs.namespace.child(here, name), False)
        except Errno as error:
            if error.errno == ENOENT:
                return Found(here, name, None, False)
            raise

    def _above(self, here: Inode) -> Inode:
        _need_directory(here)
        if here is self.fs.root:
            return here
        if here.parent is None:
            raise Errno(ENOENT)
        return here.parent

    def _goes_through(self) -> bool:
        return bool(self.pending) or self.follow or self.directory_meant

    def _go_through(self, link: Inode) -> None:
        self.links += 1
        if self.links > MAX_LINKS:
            raise Errno(ELOOP)
        target = link.jump()
        if target is not None:
            self.at = self.found.node = target
            self.found.shown = link.readlink()
            return
        text = link.readlink()
        if not text:
            raise Errno(ENOENT)
        self.at = self.found.parent
        self._push(text)


def _need_directory(node: Inode) -> None:
    if node.kind != stat.S_IFDIR:
        raise Errno(ENOTDIR)
