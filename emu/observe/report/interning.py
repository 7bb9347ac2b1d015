"""Interned strings, code locations, stacks and ranges of a report."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from emu.observe.model.records import Range, SourceLocation
from emu.observe.report.compact import Interner, exact


class InternTables:
    """Numbers for strings, places, stacks of places, and ranges."""

    def __init__(self) -> None:
        self._strings: Interner[str] = Interner()
        self._places: Interner[SourceLocation] = Interner()
        self._stacks: Interner[tuple[int, ...]] = Interner()
        self._ranges: Interner[Range] = Interner()
        self.string = self._strings.number
        self.place = self._places.number
        self.range = self._ranges.number

    def stack(self, places: Iterable[SourceLocation]) -> int:
        return self._stacks.number(tuple(self._places.number(place) for place in places))

    @property
    def places(self) -> list[SourceLocation]:
        return self._places.rows

    def data(self) -> dict[str, Any]:
        """Returns the tables. Strings come last: writing the others may add strings."""
        places = [self._place_row(place) for place in self._places.rows]
        ranges = [self._range_row(of) for of in self._ranges.rows]
        stacks = self._stacks.rows
        return {
            "places": places,
            "ranges": ranges,
            "stacks": stacks,
            "strings": self._strings.rows,
        }

    def _place_row(self, place: SourceLocation) -> list[Any]:
        string = self.string
        inlined = [
            [string(caller.function), string(caller.file), caller.line] for caller in place.inlined
        ]
        return [
            exact(place.pc),
            string(place.function),
            place.offset,
            string(place.file),
            place.line,
            string(place.image),
            inlined,
        ]

    def _range_row(self, of: Range) -> list[Any]:
        return [exact(of.start), exact(of.end), self.string(of.rights), self.string(of.name)]
