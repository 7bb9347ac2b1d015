"""Finds the labs' files in a submission: a folder, a Python file, or a zip file.

Members are looked up by the names of the labs' files and read up to a limit. Nothing is unpacked
to disk or executed, and symbolic links are ignored.
"""

from __future__ import annotations

import codecs
import io
import os
import re
import stat
import tokenize
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import PurePosixPath
from typing import NamedTuple

from emu.lab.host.student import LabFile
from emu.lab.text.sanitize import sanitize
from emu.lab.workspace.catalogue import LABS, Lab

LARGEST_FILE = 1 << 20
LARGEST_ZIP = 16 << 20
_MOST_FILES = 5000
_DEEPEST = 6
_TEXT = {codecs.lookup(name).name for name in ("utf-8", "utf-8-sig", "ascii", "latin-1", "cp1252")}
"""Allowed encodings; some other codecs take very long, and some hide text."""


class Unreadable(Exception):
    """The submission cannot be graded; the message gives the student the reason."""


class Work(NamedTuple):
    """Graded files: the lab, its file and others that it uses, and their paths."""

    lab: Lab
    files: list[LabFile]
    paths: list[str]


Members = dict[str, Callable[[], bytes]]
"""Functions that read the files of a submission, by the files' paths in it."""


def read(path: str, lab: Lab | None, own: bool) -> Work:
    """Reads the submission at ``path``. Raises :class:`Unreadable`.

    Without ``lab``, the last lab whose file is in the submission is graded. ``own`` adds the
    student's files of earlier labs; otherwise the reference is used.
    """
    members = _members(path)
    found = {each.name: _find(members, each) for each in LABS.values()}
    if lab is None:
        lab = next((each for each in reversed(LABS.values()) if found[each.name]), None)
        if lab is None:
            raise Unreadable("it contains no lab's file")
    elif not found[lab.name]:
        found[lab.name] = _only_file(path, members)
    if not found[lab.name]:
        raise Unreadable(f"it does not contain {lab.file}")
    labs = [each for each in LABS.values() if each is lab or (own and each.number < lab.number)]
    files, paths = [], []
    for each in labs:
        if found[each.name]:
            where = _one_path(found[each.name], each.file)
            files.append(LabFile(each.name, each.file, _read_text(where, members[where])))
            paths.append(sanitize(where))
    return Work(lab, files, paths)


# Finding a lab's file.


def _find(members: Members, lab: Lab) -> list[str]:
    """Paths of the lab's file, at the smallest depth at which there is one. Course systems add
    prefixes and suffixes to its name.
    """
    exact = [path for path in members if PurePosixPath(path).name == lab.file]
    renamed = re.compile(rf"(?s:.*[\W_])?{lab.module}(?:[ _-]?\(?\d+\)?)?\.py")
    found = exact or [path for path in members if renamed.fullmatch(PurePosixPath(path).name)]
    least = min((path.count("/") for path in found), default=0)
    return [path for path in found if path.count("/") == least]


def _only_file(path: str, members: Members) -> list[str]:
    """Path of a submission that is a single Python file, which may have any name."""
    return list(members) if path.endswith(".py") else []


def _one_path(found: list[str], name: str) -> str:
    if len(found) > 1:
        places = ", ".join(sanitize(path, 80) for path in sorted(found)[:3])
        raise Unreadable(f"it contains {name} more than once: {places}")
    return found[0]


def _read_text(path: str, reader: Callable[[], bytes]) -> str:
    name = sanitize(path, 80)
    data = reader()
    if len(data) > LARGEST_FILE:
        raise Unreadable(f"{name} is larger than {LARGEST_FILE >> 20} MiB")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        if codecs.lookup(encoding).name not in _TEXT:
            raise Unreadable(f"{name} is not UTF-8 text")
        return data.decode(encoding)
    except (SyntaxError, UnicodeDecodeError):
        raise Unreadable(f"{name} is not UTF-8 text") from None


# Members of a submission.


def _members(path: str) -> Members:
    try:
        mode = os.lstat(path).st_mode
        if stat.S_ISDIR(mode):
            members = dict(_in_folder(path))
            return _zip_in(path, members) or members
        if stat.S_ISLNK(mode):
            raise Unreadable("it is a symbolic link")
        if path.endswith(".zip"):
            return dict(_in_zip(_file(path, LARGEST_ZIP)))
        return {os.path.basename(path): partial(_file, path, LARGEST_FILE)}
    except OSError as error:
        raise Unreadable(f"it cannot be read: {error.strerror}") from None


def _zip_in(path: str, members: Members) -> Members:
    """Members of the only zip file in a folder without Python files, as course systems make it."""
    zips = [name for name in members if name.lower().endswith(".zip")]
    if len(zips) != 1 or any(name.endswith(".py") for name in members):
        return {}
    return dict(_in_zip(_file(os.path.join(path, zips[0]), LARGEST_ZIP)))


def _in_folder(top: str) -> Iterator[tuple[str, Callable[[], bytes]]]:
    folders = [""]
    count = 0
    while folders:
        folder = folders.pop()
        with os.scandir(os.path.join(top, folder)) as entries:
            for entry in entries:
                count += 1
                if count > _MOST_FILES:
                    raise Unreadable(f"it contains more than {_MOST_FILES} files")
                if _is_hidden(entry.name):
                    continue
                path = os.path.join(folder, entry.name)
                if entry.is_dir(follow_symlinks=False) and path.count("/") < _DEEPEST:
                    folders.append(path)
                elif entry.is_file(follow_symlinks=False):
                    yield path, partial(_file, entry.path, LARGEST_FILE)


def _is_hidden(name: str) -> bool:
    """True for caches, and for the files that macOS adds to a zip file."""
    return name.startswith((".", "__"))


def _file(path: str, most: int) -> bytes:
    """Reads a regular file, up to ``most + 1`` bytes; does not wait for a device or a pipe."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with open(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise Unreadable("it is not a regular file")
        return file.read(most + 1)


def _in_zip(data: bytes) -> Iterator[tuple[str, Callable[[], bytes]]]:
    if len(data) > LARGEST_ZIP:
        raise Unreadable(f"the zip file is larger than {LARGEST_ZIP >> 20} MiB")
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        infos = archive.infolist()
    except Exception:  # a damaged archive makes zipfile raise nearly anything
        raise Unreadable("it is not a valid zip file") from None
    if len(infos) > _MOST_FILES:
        raise Unreadable(f"it contains more than {_MOST_FILES} files")
    for info in infos:
        parts = PurePosixPath(info.filename.replace("\\", "/")).parts
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.is_dir() or kind not in (0, stat.S_IFREG) or any(map(_is_hidden, parts)):
            continue
        yield "/".join(parts), partial(_read_member, archive, info)


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Reads a member up to the limit, whatever size its header states."""
    name = sanitize(info.filename, 80)
    if info.flag_bits & 1:
        raise Unreadable(f"{name} is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # Other methods may allocate gigabytes before the first byte.
        raise Unreadable(f"{name} is not compressed with deflate")
    try:
        with archive.open(info) as member:
            return member.read(LARGEST_FILE + 1)
    except Exception:
        raise Unreadable(f"{name} is damaged") from None
