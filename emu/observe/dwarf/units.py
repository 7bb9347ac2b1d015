"""Units of a program that symbolic reads only in part, because the rest is in another file.

These are split units (-gsplit-dwarf; DWARF 5, 3.1.2) and units with entries in a file that several
programs share (dwz). A unit is read on first use.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property

from emu.observe.dwarf.address_ranges import Ranges, ranges
from emu.observe.dwarf.attribute_forms import Damaged
from emu.observe.dwarf.entries import COMP_DIR, DebugInfo, Unit
from emu.observe.dwarf.inlined_functions import Functions
from emu.observe.dwarf.line_table import Line, LineTables, UnitLines
from emu.observe.dwarf.sections import Sections
from emu.observe.dwarf.split_function_ends import end_all
from emu.observe.dwarf.split_units import SplitFiles
from kernel.base.elf_headers import reader

_PROGRAM = ("info", "abbrev", "str", "line_str", "str_offsets", "addr", "ranges", "rnglists")
SHARED = ("info", "abbrev", "str", "line_str", "str_offsets")
"""Sections read from a shared file."""

_NONE = SplitFiles()


class UnitCode:
    """The code of a unit. Addresses are those in the ELF file."""

    def __init__(self, unit: Unit, code: Ranges, tables: LineTables, split: SplitFiles) -> None:
        self._unit = unit
        self._code = code
        self._tables = tables
        self._split = split

    @cached_property
    def _lines(self) -> UnitLines:
        try:
            folder = self._unit.text(self._unit.top, COMP_DIR)
        except Damaged:
            folder = ""
        return self._tables.of(self._unit.offset, folder)

    @cached_property
    def _functions(self) -> Functions | None:
        if not self._unit.dwo_name:
            return Functions(self._unit)
        unit = self._split.unit(self._unit)
        if unit is None:
            return None
        functions = Functions(unit)
        end_all(functions, unit, self._lines, self._code)
        return functions

    def line(self, address: int) -> Line:
        return self._lines.find(address)

    def chain(self, address: int) -> list[tuple[str, Line]]:
        """The function that contains the address and the functions inlined there, outermost first.

        Each with the line of the call that was inlined. Empty if unknown.
        """
        if self._functions is None:
            return []
        chain = self._functions.chain(address)
        return [(it.name, Line(self._lines.path(it.call[0]), it.call[1])) for it in chain]


class DebugUnits:
    """The units of the ELF file ``data``; none if it is damaged."""

    def __init__(
        self, data: bytes, split: SplitFiles = _NONE, shared: DebugInfo | None = None
    ) -> None:
        self._spans: list[tuple[int, int, UnitCode]] = []
        tables = LineTables(data)
        info = program_units(data, shared)
        for unit in info.units:
            try:
                if shared is None and not unit.dwo_name:
                    continue
                code = ranges(unit, unit.top)
                it = UnitCode(unit, code, tables, split)
                self._spans += [(start, end, it) for start, end in code]
            except Damaged:
                continue
        self._spans.sort(key=lambda span: span[:2])

    def find(self, address: int) -> UnitCode | None:
        """The unit that contains the instruction at ``address``."""
        index = bisect_right(self._spans, address, key=lambda span: span[0])
        if not index or address >= self._spans[index - 1][1]:
            return None
        return self._spans[index - 1][2]


def program_units(data: bytes, shared: DebugInfo | None = None) -> DebugInfo:
    """The debug sections of a program with split or shared units; empty for others."""
    if shared is None and b".debug_addr\0" not in data and b".dwo\0" not in data:
        return DebugInfo({})
    sections = Sections(reader(data))
    return DebugInfo({name: sections.get(f".debug_{name}") for name in _PROGRAM}, shared)


def skeletons(info: DebugInfo) -> list[tuple[Unit, str, str]]:
    """The split units, each with its compilation directory and the name of its .dwo file."""
    found = []
    for unit in info.units:
        try:
            if unit.dwo_name:
                found.append((unit, unit.text(unit.top, COMP_DIR), unit.dwo_name))
        except Damaged:
            continue
    return found
