"""Reads .deb files with dpkg-deb, and unpacks them into a tree."""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toolchain.debian.tree import Tree
from toolchain.errors import RootError

_CHUNK = 1 << 20
_MAX_CONTROL = 16 << 20
"""Largest control file that is read; the largest of Debian have some hundred KiB."""
_CONTROL_NAME = re.compile(r"(?:\./)?([a-z0-9][a-z0-9+.-]*)")


def control_files(archive: Path) -> dict[str, bytes]:
    """The control information of a package: `control`, `postinst`, `conffiles` and others."""
    files = {}
    with _members(archive, "--ctrl-tarfile") as members:
        for member in members:
            name = _CONTROL_NAME.fullmatch(member.name)
            if name is None or not member.isreg() or member.size > _MAX_CONTROL:
                continue
            content = members.extractfile(member)
            if content is not None:
                files[name[1]] = content.read()
    if "control" not in files:
        raise RootError(f"{archive.name}: not a Debian package")
    return files


def unpack(archive: Path, tree: Tree, configuration: set[str]) -> list[str]:
    """Unpacks a package; returns the names of its files, as dpkg lists them.

    Files in `configuration` that exist are kept, since the user may have changed them. Devices
    and pipes, of which packages have none, are ignored.
    """
    names = []
    with _members(archive, "--fsys-tarfile") as members:
        for member in members:
            name = "/" + member.name.removeprefix("./").strip("/")
            if ".." in name.split("/"):
                raise RootError(f"{archive.name}: has a file outside of it, {member.name!r}")
            names.append("/." if name in {"/", "/."} else name)
            if names[-1] != "/." and not (name in configuration and tree.exists(name)):
                _extract(members, member, name, tree)
    return names


def _extract(members: tarfile.TarFile, member: tarfile.TarInfo, name: str, tree: Tree) -> None:
    owner = member.uid, member.gid
    mode = member.mode & 0o7777
    if member.isdir():
        tree.folder(name, mode, owner)
    elif member.issym():
        tree.link(name, member.linkname, owner)
    elif member.islnk():
        tree.hard_link(name, member.linkname)
    elif member.isreg() and not member.issparse():
        content = members.extractfile(member)
        assert content is not None
        with tree.replacing(name, mode, owner, member.mtime) as file:
            shutil.copyfileobj(content, file, _CHUNK)


@contextmanager
def _members(archive: Path, part: str) -> Iterator[tarfile.TarFile]:
    """A part of a package as a stream of its members."""
    command = ["dpkg-deb", part, str(archive)]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            with tarfile.open(fileobj=process.stdout, mode="r|", bufsize=_CHUNK) as members:
                yield members
            process.stdout.read()
        except tarfile.TarError as error:
            reason = process.stderr.read().decode(errors="replace").strip().partition("\n")[0]
            raise RootError(f"{archive.name}: {reason or error}") from None
        except BaseException:
            process.kill()
            raise
        reason = process.stderr.read().decode(errors="replace").strip().partition("\n")[0]
    if process.returncode != 0:
        raise RootError(f"{archive.name}: {reason or 'cannot be read'}")
