"""The functions of a unit, and the functions inlined into them (DWARF 5, 3.3).

Of a damaged unit, the functions before the first invalid entry.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from emu.observe.dwarf.address_ranges import Ranges, ranges
from emu.observe.dwarf.attribute_forms import Damaged
from emu.observe.dwarf.entries import (
    CALL_FILE,
    CALL_LINE,
    DECL_FILE,
    DECL_LINE,
    DECLARATION,
    LINKAGE_NAME,
    MIPS_LINKAGE_NAME,
    NAME,
    ORIGIN,
    SIBLING,
    SPECIFICATION,
    Entry,
    Unit,
)

_INLINED, _SUBPROGRAM = 0x1D, 0x2E
_WITHOUT_CODE = frozenset((0x01, 0x04, 0x15))
"""Tags of array, function and enumeration types, whose children are skipped."""
_DEEPEST, _MOST_HOPS = 4096, 16


def _origins(unit: Unit, at: int) -> Iterator[tuple[Unit, int, Entry]]:
    """An entry, followed by its chain of abstract origins and specifications."""
    for _ in range(_MOST_HOPS):
        entry = unit.entry(at)
        if entry is None:
            return
        yield unit, at, entry
        origin = entry.values.get(ORIGIN) or entry.values.get(SPECIFICATION)
        found = unit.referred(origin) if origin is not None else None
        if found is None:
            return
        unit, at = found


class Function:
    """A function or an inlined copy of one. Its entry is at ``at`` in a unit."""

    __slots__ = ("_at", "_unit", "inlined", "ranges")

    def __init__(self, unit: Unit, at: int, found: Ranges) -> None:
        self._unit = unit
        self._at = at
        self.ranges = found
        self.inlined: list[Function] = []

    @property
    def name(self) -> str:
        """The linkage name if there is one, otherwise the source name."""
        try:
            for unit, _, entry in _origins(self._unit, self._at):
                for each in (LINKAGE_NAME, MIPS_LINKAGE_NAME, NAME):
                    name = unit.text(entry, each)
                    if name:
                        return name
        except Damaged:
            pass
        return ""

    @property
    def root(self) -> int:
        """Offset of the entry that all copies of the function originate from."""
        return [at for _, at, _ in _origins(self._unit, self._at)][-1]

    @property
    def call(self) -> tuple[int, int]:
        """File number and line of the call that was inlined."""
        try:
            entry = self._unit.entry(self._at)
        except Damaged:
            entry = None
        return (entry.number(CALL_FILE), entry.number(CALL_LINE)) if entry else (0, 0)

    def has(self, address: int) -> bool:
        return any(start <= address < end for start, end in self.ranges)


class Functions:
    """The functions of a unit."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._subprograms: list[int] = []
        self.found: list[Function] = []
        """Functions that are not inlined."""
        try:
            for function in self._read():
                self.found.append(function)
        except Damaged:
            pass
        self.reindex()

    def reindex(self) -> None:
        """Rebuilds the index after ranges have changed."""
        self._spans = sorted(
            (start, end, at) for at, it in enumerate(self.found) for start, end in it.ranges
        )

    def each(self) -> Iterator[Function]:
        """Yields all functions, including inlined ones."""
        waiting = list(self.found)
        while waiting:
            function = waiting.pop()
            yield function
            waiting += function.inlined

    def declarations(self) -> Iterator[tuple[int, int, int]]:
        """For each function of the source: its root, file number and line."""
        for at in self._subprograms:
            origins = list(_origins(self._unit, at))
            if origins:
                files = (entry.number(DECL_FILE) for _, _, entry in origins)
                lines = (entry.number(DECL_LINE) for _, _, entry in origins)
                yield origins[-1][1], next(filter(None, files), 0), next(filter(None, lines), 0)

    def chain(self, address: int) -> list[Function]:
        """The function that contains the address, followed by the functions inlined there,
        outermost first.
        """
        index = bisect_right(self._spans, (address, 1 << 65))
        if not index or address >= self._spans[index - 1][1]:
            return []
        chain = [self.found[self._spans[index - 1][2]]]
        while inner := next((it for it in chain[-1].inlined if it.has(address)), None):
            chain.append(inner)
        return chain

    def _read(self) -> Iterator[Function]:
        """Reads the functions that are not inlined, with those inlined into them."""
        unit, at = self._unit, self._unit.first
        around: list[Function | None] = []
        within: Function | None = None
        while at < unit.end:
            entry = unit.entry(at)
            if entry is None:
                if not around:
                    return
                within, at = around.pop(), at + 1
                continue
            inside = within
            if entry.tag == _SUBPROGRAM:
                if DECLARATION not in entry.values:
                    self._subprograms.append(at)
                inside = self._function(at, entry)
                if inside is not None:
                    yield inside
            elif entry.tag == _INLINED and within is not None:
                inside = self._function(at, entry)
                if inside is not None:
                    within.inlined.append(inside)
            at = entry.after
            if not entry.has_children:
                if not around:
                    return
                continue
            if entry.tag in _WITHOUT_CODE and SIBLING in entry.values:
                found = unit.referred(entry.values[SIBLING])
                if found is not None and found[1] > at:
                    at = found[1]
                    continue
            if len(around) > _DEEPEST:
                raise Damaged
            around.append(within)
            within = inside

    def _function(self, at: int, entry: Entry) -> Function | None:
        """None for a function without code."""
        found = ranges(self._unit, entry)
        return Function(self._unit, at, found) if found else None
