"""Access to host files for a report, limited to folders that the user has given.

A guest is not trusted, and its debug information may name any path: a report that is passed on must
not contain private files. So only files below a given folder, or the current one, are read, with
symbolic links resolved first.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from emu.observe.model.regular_file import open_regular
from kernel.base.elf_headers import ELF_MAGIC

_SOURCES = frozenset(
    (
        *(".c", ".h", ".cc", ".cpp", ".cxx", ".hh", ".hpp", ".hxx", ".inc", ".ipp", ".tcc"),
        *(".s", ".sx", ".asm", ".rs", ".go", ".zig", ".d", ".f", ".f90", ".f95", ".adb"),
        *(".ads", ".swift", ".nim", ".m", ".mm", ".pas", ".ml", ".cu", ".y", ".l", ".def"),
    )
)
LARGEST_SOURCE = 4 << 20
LARGEST_IMAGE = 256 << 20


class HostFiles:
    """Files below ``folders``. ``root`` is the host folder of the guest's /, for images."""

    def __init__(self, folders: Iterable[str | os.PathLike[str]], root: str | None = None) -> None:
        real = [Path(folder).resolve() for folder in folders]
        self._folders = [folder for folder in dict.fromkeys(real) if folder != Path("/")]
        self._root = Path(root).resolve() if root is not None else None

    def source(self, name: str) -> list[str] | None:
        """Returns the lines of a source file; a relative name is searched in each folder."""
        for path in self._candidates(name, self._folders):
            if path.suffix.lower() in _SOURCES:
                data = _read(path, LARGEST_SOURCE)
                if data is not None and b"\0" not in data:
                    return data.decode("utf-8", "replace").splitlines()
        return None

    def image(self, name: str) -> bytes | None:
        """Returns the ELF file that the guest knows as ``name``."""
        folders = self._folders if self._root is None else [self._root, *self._folders]
        names = [name] if self._root is None else [f"{self._root}/{name.lstrip('/')}", name]
        for candidate in names:
            for path in self._candidates(candidate, folders):
                data = _read(path, LARGEST_IMAGE)
                if data is not None and data.startswith(ELF_MAGIC):
                    return data
        return None

    def _candidates(self, name: str, folders: Sequence[Path]) -> Iterable[Path]:
        if not name or "\0" in name:
            return
        for folder in folders:
            try:
                path = Path(folder, name).resolve()
            except (OSError, RuntimeError, ValueError):
                continue
            if _visible_below(path, folder):
                yield path


def _visible_below(path: Path, folder: Path) -> bool:
    """Returns True for a path below ``folder`` without hidden parts (configuration, keys)."""
    if not path.is_relative_to(folder):
        return False
    return not any(part.startswith(".") for part in path.relative_to(folder).parts)


def _read(path: Path, largest: int) -> bytes | None:
    """Reads a regular file; None when it is larger than ``largest`` or cannot be read."""
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            data = file.read(min(size, largest) + 1)  # read() allocates as much as is requested
    except (OSError, ValueError):
        return None
    return data if len(data) <= largest else None
