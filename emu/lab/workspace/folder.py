"""A student's folder: what ``emu lab start`` writes there, and what is read from it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from emu.errors import CommandError
from emu.lab.host.student import LabFile
from emu.lab.workspace.catalogue import LABS, Lab
from emu.lab.workspace.kit_doc import kit_text

_LONGEST = 1 << 20
"""Bytes of a student's file; a longer one is none that somebody wrote."""
_KEPT = ".lab"
KIT = "kit.md"
"""The file that tells what a lab's code may use."""
_HEADERS = ("check.h", "exec.h")


class BadWorkspace(CommandError):
    """The folder can't be used; the message says why, in one line."""


def start(lab: Lab, folder: Path) -> list[Path]:
    """Writes what a student starts from; the files that were written. Nothing is overwritten."""
    target = folder / lab.file
    if target.exists():
        raise BadWorkspace(f"{target} is there already; nothing was changed")
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
    """The labs whose files are in the folder, in their order."""
    return [lab for lab in LABS.values() if (folder / lab.file).is_file()]


def read_files(folder: Path, labs: Sequence[Lab]) -> list[LabFile]:
    """The files of these labs. Raises :class:`BadWorkspace`."""
    for lab in labs:
        if not (folder / lab.file).exists():
            raise BadWorkspace(
                f"{folder / lab.file}: No such file; begin with: emu lab start {lab.name} {folder}"
            )
    return [LabFile(lab.name, lab.file, _read(folder / lab.file)) for lab in labs]


def work_in(folder: Path) -> list[LabFile]:
    """All files of labs in the folder, which must have one. Raises :class:`BadWorkspace`."""
    if not folder.is_dir():
        raise BadWorkspace(f"{folder}: no such folder")
    labs = labs_in(folder)
    if not labs:
        names = ", ".join(lab.file for lab in LABS.values())
        raise BadWorkspace(f"{folder} has no lab's file ({names}); begin with: emu lab start LAB")
    return read_files(folder, labs)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST + 1)
        if len(content) > _LONGEST:
            raise BadWorkspace(f"{path} is longer than {_LONGEST} bytes")
        return content.decode("utf-8")
    except OSError as error:
        raise BadWorkspace(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise BadWorkspace(f"{path}: byte {error.start} is no UTF-8") from None


def keep(folder: Path, name: str, content: Any) -> None:
    """Keeps something for a later command; where that can't be, it is done without."""
    try:
        (folder / _KEPT).mkdir(exist_ok=True)
        (folder / _KEPT / name).write_text(json.dumps(content), encoding="utf-8")
    except OSError:
        return


def kept(folder: Path, name: str) -> Any:
    """What :func:`keep` kept; None when there is nothing, or nothing that can be read."""
    try:
        return json.loads((folder / _KEPT / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
