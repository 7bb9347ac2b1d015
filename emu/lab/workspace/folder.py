"""A student's folder: the files that ``emu lab start`` writes, and the files that are read."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from emu.errors import CommandError
from emu.lab.host.student import LabFile
from emu.lab.workspace.catalogue import LABS, Lab
from emu.lab.workspace.kit_doc import kit_text

_MAX_BYTES = 1 << 20
"""Maximum size of a student's file."""
_STATE_FOLDER = ".lab"
KIT = "kit.md"
"""File that documents the functions and constants that a lab's code may use."""
_HEADERS = ("check.h", "exec.h")


class BadWorkspace(CommandError):
    """The folder cannot be used; the message is one line."""


def start(lab: Lab, folder: Path) -> list[Path]:
    """Writes a lab's files, and returns their paths. Does not overwrite the student's file."""
    target = folder / lab.file
    if target.exists():
        raise BadWorkspace(f"{target}: {os.strerror(errno.EEXIST)} (nothing was changed)")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = [target, folder / f"{lab.module}.md"]
        written[1].write_text(lab.handout, encoding="utf-8")
        written.append(folder / KIT)
        written[2].write_text(kit_text(), encoding="utf-8")
        written += _write_guests(lab, folder / "guests")
        target.write_text(lab.skeleton, encoding="utf-8")
    except OSError as error:
        raise BadWorkspace(f"{error.filename or folder}: {error.strerror}") from None
    return written


def _write_guests(lab: Lab, folder: Path) -> list[Path]:
    written = []
    if lab.guests:
        folder.mkdir(exist_ok=True)
    for name in [*(f"{guest}.c" for guest in lab.guests), *(_HEADERS if lab.guests else ())]:
        path = folder / name
        path.write_bytes((files("guest") / name).read_bytes())
        written.append(path)
    return written


def labs_in(folder: Path) -> list[Lab]:
    """Labs whose files are in the folder, in ascending order."""
    return [lab for lab in LABS.values() if (folder / lab.file).is_file()]


def read_files(folder: Path, labs: Sequence[Lab]) -> list[LabFile]:
    """Reads the files of these labs. Raises :class:`BadWorkspace`."""
    for lab in labs:
        if not (folder / lab.file).exists():
            raise BadWorkspace(
                f"{folder / lab.file}: {os.strerror(errno.ENOENT)} "
                f"(emu lab start {lab.name} {folder} creates it)"
            )
    return [LabFile(lab.name, lab.file, _read(folder / lab.file)) for lab in labs]


def work_in(folder: Path) -> list[LabFile]:
    """Reads all labs' files in the folder. Raises :class:`BadWorkspace`, also if there is none."""
    if not folder.is_dir():
        problem = errno.ENOTDIR if folder.exists() else errno.ENOENT
        raise BadWorkspace(f"{folder}: {os.strerror(problem)}")
    labs = labs_in(folder)
    if not labs:
        names = ", ".join(lab.file for lab in LABS.values())
        raise BadWorkspace(
            f"{folder}: no lab's file (expected {names}; emu lab start LAB creates one)"
        )
    return read_files(folder, labs)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise BadWorkspace(f"{path}: file too large (expected at most {_MAX_BYTES} bytes)")
        return content.decode("utf-8")
    except OSError as error:
        raise BadWorkspace(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise BadWorkspace(f"{path}: byte {error.start} is not valid UTF-8") from None


def save_state(folder: Path, name: str, content: Any) -> None:
    """Stores ``content`` as JSON for a later command, if the folder is writable."""
    try:
        (folder / _STATE_FOLDER).mkdir(exist_ok=True)
        (folder / _STATE_FOLDER / name).write_text(json.dumps(content), encoding="utf-8")
    except OSError:
        return


def load_state(folder: Path, name: str) -> Any:
    """Content stored by :func:`save_state`; None if it does not exist or is invalid."""
    try:
        return json.loads((folder / _STATE_FOLDER / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
