"""The record in a filled folder: its suite, its packages, and whether it is complete."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from toolchain.debian.marks import COMPLETE, UNFINISHED
from toolchain.debian.tree import Tree
from toolchain.errors import RootError


@dataclass
class Record:
    suite: str
    minimal: bool = False
    packages: list[str] = field(default_factory=list)
    """Names that were requested, without dependencies."""
    unpacked: list[str] = field(default_factory=list)
    """Files of packages that an unfinished fill has unpacked."""

    @staticmethod
    def read(folder: Path) -> Record | None:
        """The record of an unfinished fill, else of the last; None for a folder with nothing in it.

        Raises RootError when the folder is not one that was filled here.
        """
        try:
            names = os.listdir(folder)
        except FileNotFoundError:
            return None
        except NotADirectoryError:
            raise RootError("not a folder") from None
        for name in (UNFINISHED, COMPLETE):
            if name in names:
                return _parse((folder / name).read_bytes())
        if names:
            raise RootError("has files, and was not filled by emu root (expected a new folder)")
        return None

    def write(self, tree: Tree, name: str) -> None:
        tree.write(name, json.dumps(vars(self), indent=1) + "\n")


def is_unfinished(folder: Path) -> bool:
    return os.path.lexists(folder / UNFINISHED)


def _parse(text: bytes) -> Record:
    try:
        record = Record(**json.loads(text))
    except (ValueError, TypeError):
        raise RootError(f"{COMPLETE} is damaged (expected a new folder)") from None
    lists = (record.packages, record.unpacked)
    if not isinstance(record.suite, str) or not all(
        isinstance(each, list) and all(isinstance(name, str) for name in each) for each in lists
    ):
        raise RootError(f"{COMPLETE} is damaged (expected a new folder)")
    return record
