"""The submissions in a folder, and what their results are called."""

from __future__ import annotations

import hashlib
import os
from typing import NamedTuple
from urllib.parse import quote

from emu.lab.text.sanitize import sanitize

_LONGEST = 120


class Entry(NamedTuple):
    """One submission: a folder, a Python file or a zip file."""

    path: str

    @property
    def name(self) -> str:
        """As it is shown."""
        return sanitize(self._base, _LONGEST)

    @property
    def result(self) -> str:
        """The name of its folder of results: printable, and no other submission's."""
        base = os.fsencode(self._base)
        name = quote(base, safe="")
        if name.startswith("."):
            name = f"%2E{name[1:]}"
        if len(name) <= _LONGEST:
            return name
        return f"{name[: _LONGEST - 17]}-{hashlib.sha256(base).hexdigest()[:16]}"

    @property
    def _base(self) -> str:
        return os.path.basename(os.path.normpath(self.path))


def entries(folder: str) -> tuple[list[Entry], list[str]]:
    """The submissions in ``folder``, by name; and the names of what is none. Raises OSError."""
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
    """The submission at ``path``, whose last part is its name, or that of its results.

    The latter goes first: it is some entry's alone, and what a workflow says.
    """
    folder, name = os.path.split(os.path.normpath(path))
    try:
        found, _ = entries(folder or ".")
    except OSError:
        found = []
    by_result = next((entry for entry in found if entry.result == name), None)
    return by_result or (Entry(path) if os.path.lexists(path) else None)
