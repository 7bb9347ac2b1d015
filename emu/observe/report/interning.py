"""The places of code that a report names: functions, lines, callers, each once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from emu.observe.model.records import Range, SourceLocation
from emu.observe.report.compact import Table, exact


class Names:
    """Strings, places, stacks of places and ranges; each has a number."""

    def __init__(self) -> None:
        self._strings: Table[str] = Table()
        self._places: Table[SourceLocation] = Table()
        self._stacks: Table[tuple[int, ...]] = Table()
        self._ranges: Table[Range] = Table()
        self.string = self._strings.number
        self.place = self._places.number
        self.range = self._ranges.number

    def stack(self, places: Iterable[SourceLocation]) -> int:
        return self._stacks.number(tuple(self._places.number(place) for place in places))

    @property
    def places(self) -> list[SourceLocation]:
        return self._places.rows

    def data(self) -> dict[str, Any]:
        """As the page reads it; strings come last, since writing the others may need new ones."""
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
