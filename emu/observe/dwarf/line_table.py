"""The line table of a unit (DWARF 5, 6.2), for units that symbolic skips.

For a split unit the table is in the program; for a unit with names in another file (dwz) it is
complete. The file may be damaged; no other file is read.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from inspect import signature
from typing import Any, NamedTuple

from emu.observe.dwarf.sections import Sections
from kernel.base.elf_headers import reader

_MOST_ROWS = 1 << 22
_USED = ("info", "abbrev", "line", "line_str", "str", "str_offsets", "addr")
"""Sections that a line table needs."""


class Line(NamedTuple):
    """A source line. ``file`` is a path; ``line`` is 0 if there is none."""

    file: str
    line: int


_NOWHERE = Line("", 0)


class LineTables:
    """The line tables of an ELF file, which pyelftools reads from our sections of it."""

    def __init__(self, data: bytes) -> None:
        self._sections = Sections(reader(data))

    @cached_property
    def _dwarf(self) -> Any:
        from elftools.dwarf.dwarfinfo import DwarfConfig, DWARFInfo

        # the set of parameters differs between versions
        sections: dict[str, Any] = dict.fromkeys(signature(DWARFInfo).parameters)
        sections |= {f"debug_{name}_sec": self._section(f".debug_{name}") for name in _USED}
        sections["config"] = DwarfConfig(True, "RISC-V", 8)
        return DWARFInfo(**sections)

    def _section(self, name: str) -> Any:
        from elftools.dwarf.dwarfinfo import DebugSectionDescriptor

        if name not in self._sections:
            return None
        data = self._sections.get(name)
        return DebugSectionDescriptor(io.BytesIO(data), name, 0, len(data), 0)

    def of(self, unit: int, folder: str) -> UnitLines:
        """The table of the unit at an offset in .debug_info that was compiled in ``folder``."""
        try:
            program = self._dwarf.line_program_for_CU(self._dwarf.get_CU_at(unit))
        except Exception:  # pyelftools raises many kinds of exceptions for damaged files
            program = None
        return UnitLines(program, folder)


class UnitLines:
    """The rows of a unit's table. Addresses are those in the ELF file."""

    def __init__(self, program: Any, folder: str) -> None:
        self._program = program
        self._folder = folder
        self._paths: dict[int, str] = {}
        rows: list[tuple[int, bool, Line]] = []
        try:
            for row in self._rows():
                rows.append(row)
                if len(rows) > _MOST_ROWS:
                    break
        except Exception:  # as in LineTables
            pass
        # another sequence may start where one ends
        rows.sort(key=lambda row: row[:2])
        self._starts = [start for start, _, _ in rows]
        self._lines = [line for _, _, line in rows]

    def find(self, address: int) -> Line:
        """The source line of the instruction at ``address``."""
        index = bisect_right(self._starts, address)
        return self._lines[index - 1] if index else _NOWHERE

    def rows_from(self, address: int) -> Iterator[tuple[int, Line]]:
        """Yields the rows from ``address`` on: of each address the last row."""
        starts = self._starts
        for index in range(max(bisect_right(starts, address) - 1, 0), len(starts)):
            if index + 1 == len(starts) or starts[index + 1] != starts[index]:
                yield starts[index], self._lines[index]

    def path(self, number: int) -> str:
        """Path of the file with that number in the unit."""
        path = self._paths.get(number)
        if path is None:
            try:
                path = self._path(number)
            except Exception:  # as in LineTables
                path = ""
            self._paths[number] = path
        return path

    def _rows(self) -> Iterator[tuple[int, bool, Line]]:
        """(address, False if it ends a sequence, source line) of each row."""
        if self._program is None:
            return
        live = True
        first = True
        for entry in self._program.get_entries():
            state = entry.state
            if state is None:
                continue
            if first:  # linkers keep the lines of a discarded function, at address 0
                live = state.address != 0
            first = state.end_sequence
            if not live:
                continue
            if state.end_sequence:
                yield state.address, False, _NOWHERE
                continue
            yield state.address, True, Line(self.path(state.file), state.line)

    def _path(self, number: int) -> str:
        header = self._program.header
        first = 0 if header.version >= 5 else 1  # DWARF 5 counts files and directories from 0
        if not first <= number < first + len(header.file_entry):
            return ""
        entry = header.file_entry[number - first]
        folders = header.include_directory
        at = entry.dir_index - first
        folder = _text(folders[at]) if 0 <= at < len(folders) else ""
        return join_paths(self._folder, folder, _text(entry.name))


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def join_paths(*parts: str) -> str:
    """Joins paths as a compiler does: an absolute part replaces those before it."""
    path = ""
    for part in parts:
        path = part if part.startswith("/") or not path else f"{path}/{part}" if part else path
    return path
