"""Line tables of units whose other debug information is in another file (-gsplit-dwarf).

DWARF 5, 3.1.2 and 6.2; GNU DebugFission for DWARF 4. The skeleton unit in the program has the line
table, and names the file with the rest. symbolic ignores such units. A damaged file yields no
lines; only the program's own bytes are read.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, NamedTuple

_DWO_NAMES = ("DW_AT_dwo_name", "DW_AT_GNU_dwo_name")
_COMP_DIR = "DW_AT_comp_dir"
_MOST_ROWS = 1 << 22


class Line(NamedTuple):
    """``file`` is a path; ``line`` is 0 where there is none."""

    file: str
    line: int


_NOWHERE = Line("", 0)


class SplitLines:
    """Source lines by address of the ELF file."""

    def __init__(self, data: bytes) -> None:
        rows: list[tuple[int, bool, Line]] = []
        try:
            for unit in skeletons(data):
                rows += unit.rows()
                if len(rows) > _MOST_ROWS:
                    break
        except Exception:  # pyelftools raises many kinds of exceptions for damaged files
            pass
        # Another sequence may begin where one ends.
        rows.sort(key=lambda row: row[:2])
        self._starts = [start for start, _, _ in rows]
        self._lines = [line for _, _, line in rows]

    def find(self, address: int) -> Line:
        """The line of the instruction at ``address``."""
        index = bisect_right(self._starts, address)
        return self._lines[index - 1] if index else _NOWHERE


class Skeleton:
    """One unit of a file's ``dwarf``: its top entry."""

    def __init__(self, dwarf: Any, unit: Any, top: Any, dwo: str) -> None:
        self._dwarf = dwarf
        self._unit = unit
        self.folder = _text(top.attributes[_COMP_DIR].value) if _COMP_DIR in top.attributes else ""
        self.dwo = dwo

    def rows(self) -> Iterator[tuple[int, bool, Line]]:
        """(address, whether a line begins there or a sequence ends, the line)."""
        program = self._dwarf.line_program_for_CU(self._unit)
        if program is None:
            return
        files: dict[int, str] = {}
        live = True
        first = True
        for entry in program.get_entries():
            state = entry.state
            if state is None:
                continue
            if first:  # the linker keeps the lines of a function that it drops, at address 0
                live = state.address != 0
            first = state.end_sequence
            if not live:
                continue
            if state.end_sequence:
                yield state.address, False, _NOWHERE
                continue
            path = files.get(state.file)
            if path is None:
                path = files[state.file] = self._path(program.header, state.file)
            yield state.address, True, Line(path, state.line) if state.line else _NOWHERE

    def _path(self, header: Any, number: int) -> str:
        first = 0 if header.version >= 5 else 1  # DWARF 5 counts from 0, and has the folder itself
        if not first <= number < first + len(header.file_entry):
            return ""
        entry = header.file_entry[number - first]
        folders = header.include_directory
        at = entry.dir_index - first
        folder = _text(folders[at]) if 0 <= at < len(folders) else ""
        return join_paths(self.folder, folder, _text(entry.name))


def skeletons(data: bytes) -> Iterator[Skeleton]:
    """Yields the units that name another file. Raises pyelftools' exceptions."""
    if b".debug_addr\0" not in data and b".dwo\0" not in data:
        return
    from elftools.elf.elffile import ELFFile

    elf = ELFFile(io.BytesIO(data))
    if not elf.has_dwarf_info(strict=True):
        return
    dwarf = elf.get_dwarf_info(relocate_dwarf_sections=False, follow_links=False)
    for unit in dwarf.iter_CUs():
        top = unit.get_top_DIE()
        for name in _DWO_NAMES:
            if name in top.attributes:
                yield Skeleton(dwarf, unit, top, _text(top.attributes[name].value))


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def join_paths(*parts: str) -> str:
    """Joins paths as a compiler does: an absolute part replaces those before it."""
    path = ""
    for part in parts:
        path = part if part.startswith("/") or not path else f"{path}/{part}" if part else path
    return path
