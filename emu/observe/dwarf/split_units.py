"""Units that -gsplit-dwarf moved to other files: one in a .dwo file, many in a .dwp file.

DWARF 5, 7.3.2 and 7.3.5; GNU DebugFission and its DWARF packages for version 4. A unit and its
skeleton in the program have the same 64-bit ID.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property

from emu.observe.dwarf.attribute_forms import Damaged, number
from emu.observe.dwarf.entries import DebugInfo, Unit

INDEX = "cu_index"
SPLIT_SECTIONS = ("info", "abbrev", "str", "str_offsets", "rnglists")
"""Names of sections, without ``.debug_`` and ``.dwo``."""
_WHOLE = (1, 5)
"""DW_UT_compile, the only kind of version 4, and DW_UT_split_compile."""
_SECTIONS = {2: {1: "info", 3: "abbrev", 6: "str_offsets"}}
_SECTIONS[5] = _SECTIONS[2] | {8: "rnglists"}

_Parts = dict[str, tuple[int, int]]
"""Offset and size of a unit's part of each section."""


class SplitFile:
    """A .dwo or .dwp file."""

    def __init__(self, sections: Mapping[str, bytes]) -> None:
        self._sections = sections

    @cached_property
    def ids(self) -> frozenset[int]:
        """IDs of the units in the file, or in its index."""
        return frozenset(self._index if INDEX in self._sections else self._units)

    def unit(self, skeleton: Unit) -> Unit | None:
        """A new unit for the skeleton; None if the file does not have it."""
        wanted = skeleton.id
        try:
            if INDEX not in self._sections:
                unit = self._units.get(wanted)
            else:
                parts = self._index.get(wanted)
                unit = None if parts is None else Unit(self._part(parts), 0)
            if unit is None or unit.id != wanted:
                return None
        except Damaged:
            return None
        unit.skeleton = skeleton
        return unit

    @cached_property
    def _units(self) -> dict[int, Unit]:
        found: dict[int, Unit] = {}
        for unit in DebugInfo(self._sections).units:
            with suppress(Damaged):
                if unit.kind in _WHOLE:
                    found.setdefault(unit.id, unit)
        return found

    def _part(self, parts: _Parts) -> DebugInfo:
        cut = {
            name: self._sections.get(name, b"")[start : start + size]
            for name, (start, size) in parts.items()
        }
        return DebugInfo({"str": self._sections.get("str", b""), **cut})

    @cached_property
    def _index(self) -> dict[int, _Parts]:
        try:
            return dict(_read_index(self._sections[INDEX]))
        except Damaged:
            return {}


class SplitFiles:
    """The split files of a program."""

    def __init__(self, files: Sequence[SplitFile] = ()) -> None:
        self._files = files

    def unit(self, skeleton: Unit) -> Unit | None:
        """The split unit of the skeleton; None if no file has it."""
        try:
            file = self._by_id.get(skeleton.id)
        except Damaged:
            return None
        return None if file is None else file.unit(skeleton)

    @cached_property
    def _by_id(self) -> dict[int, SplitFile]:
        return {number: file for file in reversed(self._files) for number in file.ids}


def _read_index(data: bytes) -> Iterator[tuple[int, _Parts]]:
    names = _SECTIONS.get(number(data, 0, 2))
    columns, units, slots = (number(data, at, 4) for at in (4, 8, 12))
    table = 16 + 12 * slots
    rows = table + 4 * columns
    if names is None or rows + 8 * columns * units > len(data):
        raise Damaged
    kinds = {column: names.get(number(data, table + 4 * column, 4)) for column in range(columns)}
    wanted = [(column, name) for column, name in kinds.items() if name is not None]
    for slot in range(slots):
        row = number(data, 16 + 8 * slots + 4 * slot, 4)
        if not 0 < row <= units:
            continue
        first = rows + 4 * columns * (row - 1)
        yield (
            number(data, 16 + 8 * slot, 8),
            {
                name: (
                    number(data, first + 4 * column, 4),
                    number(data, first + 4 * (columns * units + column), 4),
                )
                for column, name in wanted
            },
        )
