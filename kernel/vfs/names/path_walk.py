"""Path resolution: from a path to a node, component by component (path_resolution(7)).

All paths are resolved here, in the guest's own tree. A file system gets single names only, never
a "..", a link or an absolute path, and the host resolves no path of the guest.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass

from kernel.base.errno import ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EROFS
from kernel.base.errors import Errno
from kernel.vfs.core.inode import Inode
from kernel.vfs.core.linux_abi import MAX_LINKS, NAME_MAX, PATH_MAX
from kernel.vfs.core.open_file import Entry
from kernel.vfs.names.fs_context import FsContext


@dataclass(slots=True)
class ResolvedPath:
    """Result of path resolution."""

    parent: Inode
    """Directory in which the last component was looked up."""
    name: str
    """The last component, which may be ".", ".." or "/"."""
    node: Inode | None
    """None when the last component does not exist."""
    must_be_directory: bool
    """True when the path ends in "/", "." or ".."."""
    link_text: str | None = None
    """Text of the magic link of /proc that led to the node."""

    def require_node(self) -> Inode:
        """Returns the node; ENOENT without one, ENOTDIR when it must be a directory and is not."""
        if self.node is None:
            raise Errno(ENOENT)
        if self.must_be_directory and self.node.kind != stat.S_IFDIR:
            raise Errno(ENOTDIR)
        return self.node

    @property
    def has_name(self) -> bool:
        """True when the last component is a name, which can be created or removed."""
        return self.name not in (".", "..", "/")


def walk(
    fs: FsContext, start: Inode, path: str, *, follow: bool = True, creating: bool = False
) -> ResolvedPath:
    """Resolves ``path`` from directory ``start``. A link at the end is followed if ``follow`` is
    set, or if the path must be a directory.

    ELOOP after 40 links, ENAMETOOLONG, ENOENT, ENOTDIR and EACCES as in path_resolution(7). When
    the path is resolved for ``creating`` an entry, a missing directory that may exist on the host
    but was not granted is EROFS, and is recorded as a refused write.
    """
    if not path:
        raise Errno(ENOENT)
    steps = _Walk(fs, start, follow)
    found = steps.run(path)
    if found is not None:
        return found
    if creating and fs.namespace.shows_only_grants(steps.at):
        fs.namespace.record_refused_write(path)
        raise Errno(EROFS)
    raise Errno(ENOENT)


class _Walk:
    """State of one resolution: the current directory, the last result, the components left."""

    def __init__(self, fs: FsContext, start: Inode, follow: bool) -> None:
        self.fs = fs
        self.at = start
        self.found = ResolvedPath(start, ".", start, True)
        self.follow = follow
        self.must_be_directory = False
        self.pending: list[str] = []
        self.links = 0

    def run(self, path: str) -> ResolvedPath | None:
        """Returns the result; None when a directory of the path does not exist in ``at``."""
        self._push(path)
        while self.pending:
            self.found = self._look_up(self.pending.pop())
            node = self.found.node
            if node is None:
                if self.pending:
                    return None
            elif node.kind == stat.S_IFLNK and self._follows_link():
                self._follow_link(node)
            else:
                self.at = node
        self.found.must_be_directory = self.must_be_directory
        return self.found

    def _push(self, path: str) -> None:
        """Inserts the components of ``path`` before the pending ones."""
        if len(path) >= PATH_MAX:
            raise Errno(ENAMETOOLONG)
        if path[0] == "/":
            self.at = self.fs.root
            self.found = ResolvedPath(self.at, "/", self.at, True)
        names = [name for name in path.split("/") if name]
        if not self.pending and (path[-1] == "/" or names[-1] in (".", "..")):
            self.must_be_directory = True
        self.pending.extend(reversed(names))

    def _look_up(self, name: str) -> ResolvedPath:
        """Looks up ``name`` in the current directory."""
        here = self.at
        if name == ".":
            _check_directory(here)
            return ResolvedPath(here, name, here, False)
        if name == "..":
            return ResolvedPath(here, name, self._parent_of(here), False)
        if len(name) * 4 > NAME_MAX and len(name.encode("utf-8", "surrogateescape")) > NAME_MAX:
            raise Errno(ENAMETOOLONG)
        here.check_search(self.fs.credentials)
        try:
            return ResolvedPath(here, name, self.fs.namespace.child(here, name), False)
        except Errno as error:
            if error.errno == ENOENT:
                return ResolvedPath(here, name, None, False)
            raise

    def _parent_of(self, here: Inode) -> Inode:
        _check_directory(here)
        if here is self.fs.root:
            return here
        if here.parent is None:
            raise Errno(ENOENT)
        return here.parent

    def _follows_link(self) -> bool:
        return bool(self.pending) or self.follow or self.must_be_directory

    def _follow_link(self, link: Inode) -> None:
        self.links += 1
        if self.links > MAX_LINKS:
            raise Errno(ELOOP)
        target = link.link_target()
        if target is not None:
            self.at = self.found.node = target
            self.found.link_text = link.readlink()
            return
        text = link.readlink()
        if not text:
            raise Errno(ENOENT)
        self.at = self.found.parent
        self._push(text)


def entry_of(found: ResolvedPath) -> Entry | None:
    """The entry to whose watchers the events of a node go as well; None without one."""
    node = found.node
    if node is not None and node.kind == stat.S_IFDIR:
        above = node.parent
        return None if above is None or above is node else Entry(above, node.name)
    if not found.has_name or found.link_text is not None:
        return None
    return Entry(found.parent, found.name)


def _check_directory(node: Inode) -> None:
    if node.kind != stat.S_IFDIR:
        raise Errno(ENOTDIR)
