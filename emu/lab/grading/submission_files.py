"""The submissions in a folder, and the names of their results."""

from __future__ import annotations

import hashlib
import os
from typing import NamedTuple
from urllib.parse import quote

from emu.lab.text.sanitize import sanitize

_MAX_NAME = 120


class Entry(NamedTuple):
    """One submission: a folder, a Python file or a zip file."""

    path: str

    @property
    def name(self) -> str:
        """Name for display."""
        return sanitize(self._base, _MAX_NAME)

    @property
    def result(self) -> str:
        """Name of its folder of results: printable ASCII, unique among the submissions."""
        base = os.fsencode(self._base)
        name = quote(base, safe="")
        if name.startswith("."):
            name = f"%2E{name[1:]}"
        if len(name) <= _MAX_NAME:
            return name
        return f"{name[: _MAX_NAME - 17]}-{hashlib.sha256(base).hexdigest()[:16]}"

    @property
    def _base(self) -> str:
        return os.path.basename(os.path.normpath(self.path))


def entries(folder: str) -> tuple[list[Entry], list[str]]:
    """Submissions in ``folder`` by name, and the names of its other files. Raises OSError."""
    found, others = [], []
    for entry in sorted(os.scandir(folder), key=lambda entry: os.fsencode(entry.name)):
        if entry.name.startswith((".", "__")):
            continue
        if entry.name.endswith((".py", ".zip")) or entry.is_dir() or entry.is_symlink():
            found.append(Entry(entry.path))
        else:
            others.append(sanitize(entry.name, 80))
    return found, others


def entry_at(path: str) -> Entry | None:
    """Submission at ``path``, whose last component is its name or the name of its results.

    The latter takes precedence: it is unique, and workflows use it.
    """
    folder, name = os.path.split(os.path.normpath(path))
    try:
        found, _ = entries(folder or ".")
    except OSError:
        found = []
    by_result = next((entry for entry in found if entry.result == name), None)
    return by_result or (Entry(path) if os.path.lexists(path) else None)
