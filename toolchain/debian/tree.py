"""A folder as the root of file names, out of which no name and no link leads."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from toolchain.errors import RootError

_MAX_LINKS = 40
_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
_NO_SET_ID = 0o1777
_DRAFT = ".emu-root-draft"


class Tree:
    """Files below `root`. Links are followed as a program does whose root directory it is:
    absolute ones from `root`, and `..` stays in it.

    Names are without a leading slash or with one. A file is replaced as a whole. Only root can
    set owners; without them programs have no set-ID bits, which would give each user of the host
    the rights of the one who filled the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self._sets_owners = os.geteuid() == 0

    def locate(self, name: str, *, follow: bool = True) -> str:
        """The host's path of a name, which need not exist; its parents contain no links.

        Raises OSError for a circle of links.
        """
        pending = _components(name)
        at: list[str] = []
        links = 0
        while pending:
            component = pending.pop()
            if component == "..":
                del at[-1:]
                continue
            path = os.path.join(self.root, *at, component)
            target = _link_target(path) if pending or follow else None
            if target is None:
                at.append(component)
                continue
            links += 1
            if links > _MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
            if target.startswith("/"):
                at = []
            pending += _components(target)
        return os.path.join(self.root, *at)

    def exists(self, name: str) -> bool:
        try:
            return os.path.exists(self.locate(name))
        except OSError:
            return False

    def is_link(self, name: str) -> bool:
        return os.path.islink(self.locate(name, follow=False))

    def read(self, name: str) -> bytes | None:
        """Content of a regular file; None if there is none."""
        try:
            with open(self.locate(name), "rb") as file:
                return file.read() if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else None
        except OSError as error:
            if error.errno in {*_ABSENT, errno.EISDIR}:
                return None
            raise

    def text(self, name: str) -> str:
        """The same as text; "" if there is no file."""
        return (self.read(name) or b"").decode("utf-8", "surrogateescape")

    def listed(self, name: str) -> list[str]:
        """Sorted names in a directory; none if there is no such directory."""
        try:
            return sorted(os.listdir(self.locate(name)))
        except OSError as error:
            if error.errno in _ABSENT:
                return []
            raise

    def folder(self, name: str, mode: int = 0o755, owner: tuple[int, int] | None = None) -> None:
        """Makes a directory and its parents; one that exists, or a link to one, stays as it is."""
        path = self.locate(name)
        if os.path.isdir(path):
            return
        self._make_parents(path)
        os.mkdir(path)
        self._own(path, owner)
        os.chmod(path, mode | stat.S_IRWXU)  # so that it can be filled and removed

    @contextmanager
    def replacing(
        self,
        name: str,
        mode: int = 0o644,
        owner: tuple[int, int] | None = None,
        mtime: float | None = None,
    ) -> Iterator[IO[bytes]]:
        """A new file, which replaces that of the name, or a link there, at the end."""
        path = self._place(name)
        draft = os.path.join(os.path.dirname(path), _DRAFT)
        with suppress(FileNotFoundError):
            os.unlink(draft)
        try:
            with open(draft, "xb") as file:
                yield file
                file.flush()
                if owner is not None and self._sets_owners:
                    os.fchown(file.fileno(), *owner)
                os.fchmod(file.fileno(), mode if self._sets_owners else mode & _NO_SET_ID)
            if mtime is not None:
                os.utime(draft, (mtime, mtime))
            os.replace(draft, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(draft)
            raise

    def write(self, name: str, content: bytes | str, mode: int = 0o644) -> None:
        """Writes a file; the link of a name is followed."""
        if isinstance(content, str):
            content = content.encode("utf-8", "surrogateescape")
        within = os.path.relpath(self.locate(name), self.root)
        with self.replacing(within, mode) as file:
            file.write(content)

    def link(self, name: str, target: str, owner: tuple[int, int] | None = None) -> None:
        """Makes a symbolic link, with any target; a directory is not replaced."""
        path = self._place(name)
        if _link_target(path) == target or (os.path.isdir(path) and not os.path.islink(path)):
            return
        draft = os.path.join(os.path.dirname(path), _DRAFT)
        with suppress(FileNotFoundError):
            os.unlink(draft)
        os.symlink(target, draft)
        if owner is not None and self._sets_owners:
            os.lchown(draft, *owner)
        os.replace(draft, path)

    def hard_link(self, name: str, other: str) -> None:
        """Makes another name of a file."""
        path, source = self._place(name), self.locate(other, follow=False)
        draft = os.path.join(os.path.dirname(path), _DRAFT)
        with suppress(FileNotFoundError):
            os.unlink(draft)
        os.link(source, draft, follow_symlinks=False)
        os.replace(draft, path)
        with suppress(FileNotFoundError):  # if both were names of one file
            os.unlink(draft)

    def remove(self, name: str) -> None:
        """Removes a file, a link or an empty directory, if there is one."""
        path = self.locate(name, follow=False)
        try:
            if os.path.isdir(path) and not os.path.islink(path):
                os.rmdir(path)
            else:
                os.unlink(path)
        except OSError:
            pass  # absent, or a directory that is in use

    def _place(self, name: str) -> str:
        path = self.locate(name, follow=False)
        self._make_parents(path)
        return path

    def _make_parents(self, path: str) -> None:
        os.makedirs(os.path.dirname(path), exist_ok=True)

    def _own(self, path: str, owner: tuple[int, int] | None) -> None:
        if owner is not None and self._sets_owners:
            os.chown(path, *owner)


def _components(name: str) -> list[str]:
    """Components of a name, the last first."""
    if "\0" in name:
        raise RootError(f"{name!r} is not a file name")
    return [each for each in reversed(name.split("/")) if each not in {"", "."}]


def _link_target(path: str) -> str | None:
    try:
        return os.readlink(path)
    except OSError:
        return None
