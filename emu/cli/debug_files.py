"""Reports missing debug files, without which source lines or functions are unknown."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from emu.observe.debug_files import Named, named_files
from emu.observe.layouts import content
from kernel.events import Observer

if TYPE_CHECKING:
    from emu.cli.output import Lines
    from kernel.process import Process


class MissingDebugFiles(Observer):
    """Checks each executed program once. Guest paths are relative to ``root`` if it is given."""

    def __init__(self, lines: Lines, root: str | None) -> None:
        self._message = lines.message
        self._root = root or ""
        self._seen: set[str] = set()

    def started(self, process: Process) -> None:
        self._look(process, links=True)

    def execed(self, process: Process) -> None:
        self._look(process, links=False)

    def _look(self, process: Process, *, links: bool) -> None:
        path, inode = process.program.path, process.program.inode
        if inode is None or path in self._seen:
            return
        self._seen.add(path)
        named = named_files(content(inode), path, links=links)
        missing = [each for each in named if not self._is_there(each)]
        if missing:
            first, more = missing[0], len(missing) - 1
            names = f"{first.name} and {more} more" if more else first.name
            self._message(f"{path}: debug file {names} not found (no {first.provides} without it)")

    def _is_there(self, named: Named) -> bool:
        return any(os.path.isfile(self._root + each) for each in named.places)
