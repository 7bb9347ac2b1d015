"""Separate files with a program's debug information: found by name and checked.

GDB manual, "Debugging Information in Separate Files"; DWARF 5, 7.3.2. A file is used only if it
belongs to the same build, by its checksum, its build ID or the IDs of its units. Damaged files
yield no information.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from posixpath import dirname
from typing import NamedTuple, Protocol

from emu.observe.dwarf.entries import Unit
from emu.observe.dwarf.line_table import join_paths
from emu.observe.dwarf.sections import Sections, build_id
from emu.observe.dwarf.split_units import INDEX, SPLIT_SECTIONS, SplitFile
from emu.observe.dwarf.units import SHARED, program_units, skeletons
from emu.observe.model.raw_events import DebugFile
from kernel.base.elf_headers import ELF_MAGIC, Read, reader

_LINK, _SHARED_LINK = ".gnu_debuglink", ".gnu_debugaltlink"
_STORE = "/usr/lib/debug"
_PIECE = 1 << 20
_LARGEST = 1 << 31
_MOST_BYTES = 1 << 30
_MOST_SPLIT = 1 << 16
_MAX_MISSING = 256
"""Maximum number of missing files; the search ends there."""


class Missing(NamedTuple):
    """A file that could not be used: its name, the reason, and the information it would have.

    ``linked`` files are those that distributions name in all of their programs.
    """

    name: str
    problem: str
    information: str
    linked: bool


class Source(Protocol):
    """An open file."""

    @property
    def size(self) -> int: ...
    @property
    def read(self) -> Read: ...


Open = Callable[[str], AbstractContextManager[Source | None]]
"""Opens the regular file at a path; None if there is none."""


class DebugFiles:
    """Finds the debug files of a program among the files that ``open_file`` opens."""

    def __init__(self, open_file: Open, real: Callable[[str], str]) -> None:
        self._open = open_file
        self._real = real
        self.report_missing: Callable[[str, list[Missing]], None] = lambda program, missing: None
        """Called with the files that a program names and that were not found."""

    def look(self, data: bytes, program: str) -> list[DebugFile]:
        """The debug files of the ELF file ``data`` at the path ``program``."""
        if _has_no_links(data):
            return []
        search = _Search(self._open, [program, self._real(program)])
        search.look(data)
        if search.missing:
            self.report_missing(program, list(dict.fromkeys(search.missing)))
        return search.found

    def linked(self, data: bytes, program: str) -> bytes | None:
        """The file with the symbols of a stripped program; None if the program has them itself."""
        sections = Sections(reader(data))
        if _has_no_links(data) or ".debug_info" in sections:
            return None
        found = _Search(self._open, [program, self._real(program)]).linked(sections)
        return None if found is None else found.content


def _has_no_links(data: bytes) -> bool:
    marks = (b".dwo\0", b".debug_addr\0", b".gnu_debug", b".note.gnu.build-id\0")
    return not data.startswith(ELF_MAGIC) or not any(each in data for each in marks)


class _Search:
    def __init__(self, open_file: Open, paths: Iterable[str]) -> None:
        self._open = open_file
        self._paths = list(dict.fromkeys(paths))
        self._left = _MOST_BYTES
        self._files: dict[str, SplitFile | None] = {}
        self.found: list[DebugFile] = []
        self.missing: list[Missing] = []

    def look(self, data: bytes) -> None:
        sections = Sections(reader(data))
        if ".debug_info" not in sections:
            linked = self.linked(sections)
            if linked is None:
                return
            data = linked.content
            sections = Sections(reader(data))
            self.found.append(linked)
        self._shared(sections)
        self._split(data)

    def _folders(self) -> list[str]:
        return list(dict.fromkeys(map(dirname, self._paths)))

    def linked(self, sections: Sections) -> DebugFile | None:
        """The file with the symbols and lines of a stripped program."""
        wanted = build_id(sections)
        for path in _by_build_id(wanted):
            with self._open(path) as file:
                if file is not None and build_id(Sections(file.read)) == wanted:
                    return self._whole(path, file)
        name, rest = _link(sections, _LINK)
        if not name:
            return None
        checksum = int.from_bytes(rest[-4:], "little")
        problem = "not found"
        for folder in self._folders():
            for place in (folder, f"{folder}/.debug", f"{_STORE}{folder}"):
                path = join_paths(place, name)
                with self._open(path) as file:
                    if file is None or path in self._paths:
                        continue
                    if _checksum(file) == checksum:
                        return self._whole(path, file)
                    problem = "is of another build"
        self.missing.append(Missing(name, problem, "source lines", True))
        return None

    def _whole(self, path: str, file: Source) -> DebugFile:
        self._paths.append(path)
        return DebugFile("linked", file.read(0, min(file.size, _LARGEST)))

    def _shared(self, sections: Sections) -> None:
        """The file that several programs share (dwz)."""
        name, wanted = _link(sections, _SHARED_LINK)
        if not name:
            return
        places = [join_paths(folder, name) for folder in reversed(self._folders())]
        places.append(f"{_STORE}/.dwz/{name.rpartition('/')[2]}")
        problem = "not found"
        for path in dict.fromkeys([*places, *_by_build_id(wanted)]):
            with self._open(path) as file:
                if file is None:
                    continue
                found = Sections(file.read)
                if build_id(found) == wanted:
                    self.found.append(self._part("shared", found, SHARED, ""))
                    return
                problem = "is of another build"
        self.missing.append(Missing(name, problem, "inlined functions", True))

    def _split(self, data: bytes) -> None:
        """The .dwo files beside the object files (-gsplit-dwarf), or the .dwp file that contains
        them.
        """
        units = skeletons(program_units(data))[:_MOST_SPLIT]
        packages = [f"{path}.dwp" for path in self._paths] if units else []
        missed = 0
        for unit, folder, dwo in units:
            problem = "not found"
            if missed < _MAX_MISSING:
                problem = self._look_for(unit, [*packages, *self._dwo_places(folder, dwo)])
            if problem:
                missed += 1
                name = join_paths(folder, dwo)
                self.missing.append(Missing(name, problem, "inlined functions", False))

    def _dwo_places(self, folder: str, dwo: str) -> Iterator[str]:
        for beside in self._folders():
            yield join_paths(beside, folder, dwo)
            yield join_paths(beside, dwo)
            yield join_paths(beside, dwo.rpartition("/")[2])

    def _look_for(self, unit: Unit, places: Iterable[str]) -> str:
        """Finds a unit's file; returns the problem, or an empty text if the file was found."""
        problem = "not found"
        for path in dict.fromkeys(places):
            file = self._split_file(path)
            if file is not None:
                if unit.id in file.ids:
                    return ""
                problem = "is of another build"
        return problem

    def _split_file(self, path: str) -> SplitFile | None:
        if path not in self._files:
            self._files[path] = None
            with self._open(path) as file:
                if file is not None:
                    part = self._part("split", Sections(file.read), SPLIT_SECTIONS, ".dwo")
                    self.found.append(part)
                    self._files[path] = SplitFile(part.sections)
        return self._files[path]

    def _part(self, kind: str, sections: Sections, names: Iterable[str], ending: str) -> DebugFile:
        found = {}
        for name in names:
            data = sections.get(f".debug_{name}{ending}", self._left)
            if data:
                self._left -= len(data)
                found[name] = data
        index = sections.get(f".debug_{INDEX}", self._left) if ending else b""
        if index:
            self._left -= len(index)
            found[INDEX] = index
        return DebugFile(kind, sections=found)


def _by_build_id(wanted: bytes) -> list[str]:
    name = wanted.hex()
    return [f"{_STORE}/.build-id/{name[:2]}/{name[2:]}.debug"] if len(wanted) > 2 else []


def _link(sections: Sections, section: str) -> tuple[str, bytes]:
    """The file name in a section, and the bytes after it."""
    name, _, rest = sections.get(section).partition(b"\0")
    return name.decode("utf-8", "surrogateescape"), rest


def _checksum(file: Source) -> int:
    found = at = 0
    while piece := file.read(at, _PIECE) if at < _LARGEST else b"":
        found = zlib.crc32(piece, found)
        at += len(piece)
    return found
