"""Ends of functions whose size an assembler omitted from a .dwo file.

GNU as for RISC-V does not know sizes before linking, and .dwo files are not linked: they have size
0, except for functions in several ranges, whose ranges are in the program. A function that is not
inlined ends where the next one starts. One that is inlined in a single range ends at the first
instruction whose line belongs neither to it nor to a function inlined into it. A line belongs to
the function declared last above it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from contextlib import suppress

from emu.observe.dwarf.address_ranges import Ranges
from emu.observe.dwarf.attribute_forms import Damaged
from emu.observe.dwarf.entries import Unit
from emu.observe.dwarf.inlined_functions import Function, Functions
from emu.observe.dwarf.line_table import Line, UnitLines

_Owners = Callable[[Line], frozenset[int]]
_NO_OWNERS: frozenset[int] = frozenset()


def end_all(functions: Functions, unit: Unit, lines: UnitLines, code: Ranges) -> None:
    """Sets the ends of the functions of a split ``unit``; ``code`` is the code of its skeleton."""
    tops = functions.found
    if not any(_is_open(it) for it in functions.each()):
        return
    starts = sorted(start for it in tops for start, _ in it.ranges)
    starts.append(1 << 64)
    for top in tops:
        for at, (start, end) in enumerate(top.ranges):
            if start == end:
                most = next((end for low, end in code if low <= start < end), start)
                top.ranges[at] = start, min(most, starts[bisect_right(starts, start)])
    with suppress(Damaged):
        _Ends(unit, lines, functions).end_inlined(tops)
    functions.reindex()


def _is_open(function: Function) -> bool:
    return any(start == end for start, end in function.ranges)


class _Ends:
    def __init__(self, unit: Unit, lines: UnitLines, functions: Functions) -> None:
        self._step = unit.file.step
        self._lines = lines
        self._declared: dict[str, tuple[list[int], list[frozenset[int]]]] = {}
        by_place: dict[str, dict[int, set[int]]] = {}
        for root, file, line in functions.declarations():
            by_place.setdefault(lines.path(file), {}).setdefault(line, set()).add(root)
        for path, roots in by_place.items():
            numbers = sorted(roots)
            self._declared[path] = numbers, [frozenset(roots[each]) for each in numbers]

    def end_inlined(self, tops: Sequence[Function]) -> None:
        waiting = list(tops)
        while waiting:
            parent = waiting.pop()
            stops = sorted(
                [start for it in parent.inlined for start, _ in it.ranges]
                + [end for _, end in parent.ranges]
            )
            for it in parent.inlined:
                if _is_open(it):
                    (start, _), family = it.ranges[0], self._family(it)
                    index = bisect_right(stops, start)
                    most = stops[index] if index < len(stops) else start
                    it.ranges[:] = [(start, self._end(start, most, family))]
            waiting += parent.inlined

    def _family(self, function: Function) -> set[int]:
        found, waiting = set(), [function]
        while waiting:
            it = waiting.pop()
            self._step()
            found.add(it.root)
            waiting += it.inlined
        return found

    def _end(self, start: int, most: int, family: set[int]) -> int:
        for address, line in self._lines.rows_from(start):
            self._step()
            if address >= most:
                break
            if line.line and self._owners(line).isdisjoint(family):
                return max(address, start)
        return most

    def _owners(self, line: Line) -> frozenset[int]:
        numbers, roots = self._declared.get(line.file, ([], []))
        index = bisect_right(numbers, line.line)
        return roots[index - 1] if index else _NO_OWNERS
