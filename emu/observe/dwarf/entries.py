"""Debugging information entries: units, their abbreviations, and the values of attributes.

DWARF 5, chapter 7.5; for version 4 also the extensions of GNU DebugFission and dwz. Raises
:class:`Damaged` for invalid bytes and for files that exceed a limit.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

from emu.observe.dwarf.attribute_forms import (
    ADDRX,
    ALT_REFS,
    ALT_STRINGS,
    IMPLICIT,
    INDIRECT,
    LOCAL_REFS,
    REF_ADDR,
    STRING,
    STRINGS,
    STRX,
    Damaged,
    number,
    read,
    uleb,
)

_MOST_STEPS = 1 << 24
"""Maximum number of entries, attributes and abbreviations read from a file."""
_MOST_UNITS = 1 << 20
_LONGEST_NAME = 1 << 16

LOW_PC, HIGH_PC, RANGES = 0x11, 0x12, 0x55
NAME, LINKAGE_NAME, MIPS_LINKAGE_NAME = 0x03, 0x6E, 0x2007
ORIGIN, SPECIFICATION, SIBLING = 0x31, 0x47, 0x01
DECL_FILE, DECL_LINE, DECLARATION = 0x3A, 0x3B, 0x3C
CALL_FILE, CALL_LINE = 0x58, 0x59
COMP_DIR, STR_OFFSETS_BASE, ADDR_BASE, RNGLISTS_BASE = 0x1B, 0x72, 0x73, 0x74
DWO_NAME, GNU_DWO_NAME, GNU_DWO_ID = 0x76, 0x2130, 0x2131
GNU_RANGES_BASE, GNU_ADDR_BASE = 0x2132, 0x2133

_SKELETON, _SPLIT, _TYPES = 4, 5, (2, 6)


class Value(NamedTuple):
    """The value of an attribute: for a string its offset; blocks have no value."""

    form: int
    number: int


class Entry(NamedTuple):
    """An entry. ``after`` is the offset after its attributes, where its children start if it has
    any.
    """

    tag: int
    has_children: bool
    values: dict[int, Value]
    after: int

    def number(self, attribute: int, otherwise: int = 0) -> int:
        value = self.values.get(attribute)
        return otherwise if value is None else value.number


class _Abbreviation(NamedTuple):
    tag: int
    has_children: bool
    attributes: list[tuple[int, int, int]]


class DebugInfo:
    """The debug sections of a file, by name without ``.debug_`` and ``.dwo``.

    ``alternate`` is the file that several programs share (dwz), if there is one.
    """

    def __init__(self, sections: Mapping[str, bytes], alternate: DebugInfo | None = None) -> None:
        self.sections = sections
        self.alternate = alternate
        self.info = sections.get("info", b"")
        self._steps = 0
        self._abbreviations: dict[int, dict[int, _Abbreviation]] = {}

    @cached_property
    def units(self) -> list[Unit]:
        """The units, up to the first invalid one."""
        found: list[Unit] = []
        at = 0
        try:
            while at < len(self.info) and len(found) < _MOST_UNITS:
                unit = Unit(self, at)
                found.append(unit)
                at = unit.end
        except Damaged:
            pass
        return found

    def unit_at(self, offset: int) -> Unit:
        """The unit that contains the entry at an offset."""
        index = bisect_right(self.units, offset, key=lambda unit: unit.offset)
        if not index or not self.units[index - 1].first <= offset < self.units[index - 1].end:
            raise Damaged
        return self.units[index - 1]

    def text(self, section: str, offset: int) -> str:
        data = self.sections.get(section, b"")
        end = data.find(b"\0", offset, offset + _LONGEST_NAME)
        if end < 0:
            raise Damaged
        return data[offset:end].decode("utf-8", "surrogateescape")

    def step(self, count: int = 1) -> None:
        self._steps += count
        if self._steps > _MOST_STEPS:
            raise Damaged

    def abbreviations(self, offset: int) -> dict[int, _Abbreviation]:
        found = self._abbreviations.get(offset)
        if found is None:
            found = self._abbreviations[offset] = dict(self._read_abbreviations(offset))
        return found

    def _read_abbreviations(self, at: int) -> Iterator[tuple[int, _Abbreviation]]:
        data = self.sections.get("abbrev", b"")
        while True:
            self.step()
            code, at = uleb(data, at)
            if not code:
                return
            tag, at = uleb(data, at)
            has_children = number(data, at, 1) == 1
            at += 1
            attributes = []
            while True:
                attribute, at = uleb(data, at)
                form, at = uleb(data, at)
                constant = 0
                if form == IMPLICIT:
                    constant, at = uleb(data, at)
                if not attribute and not form:
                    break
                self.step()
                attributes.append((attribute, form, constant))
            yield code, _Abbreviation(tag, has_children, attributes)


class Unit:
    """A unit. ``skeleton`` is the unit in the program that a split unit belongs to."""

    skeleton: Unit | None = None

    def __init__(self, file: DebugInfo, offset: int) -> None:
        data, self.file, self.offset = file.info, file, offset
        length, at, self.width = number(data, offset, 4), offset + 4, 4
        if length == 0xFFFFFFFF:
            length, at, self.width = number(data, at, 8), at + 8, 8
        self.end = at + length
        self.version = number(data, at, 2)
        at += 2
        if self.end > len(data) or not 2 <= self.version <= 5:
            raise Damaged
        self.kind, self._id = 1, 0
        if self.version >= 5:
            self.kind = number(data, at, 1)
            self._address_size, self._abbreviations = self._head(at + 1, self.width)
            at += 2 + self.width
            if self.kind in (_SKELETON, _SPLIT):
                self._id = number(data, at, 8)
                at += 8
            elif self.kind in _TYPES:
                at += 8 + self.width
        else:
            self._abbreviations = number(data, at, self.width)
            self._address_size = number(data, at + self.width, 1)
            at += self.width + 1
        if self._address_size != 8 or at > self.end:
            raise Damaged
        self.first = at

    def _head(self, at: int, width: int) -> tuple[int, int]:
        return number(self.file.info, at, 1), number(self.file.info, at + 1, width)

    @cached_property
    def top(self) -> Entry:
        entry = self.entry(self.first)
        if entry is None:
            raise Damaged
        return entry

    @property
    def id(self) -> int:
        """The ID that a skeleton and its split unit have in common."""
        return self._id or self.top.number(GNU_DWO_ID)

    @property
    def dwo_name(self) -> str:
        """Name of the file with the split unit; empty for a unit that is not split."""
        return self.text(self.top, DWO_NAME) or self.text(self.top, GNU_DWO_NAME)

    def entry(self, at: int) -> Entry | None:
        """The entry at an offset; None for the end of an entry's children."""
        data = self.file.info
        code, at = uleb(data, at)
        if not code:
            self.file.step()
            return None
        abbreviation = self.file.abbreviations(self._abbreviations).get(code)
        if abbreviation is None:
            raise Damaged
        self.file.step(1 + len(abbreviation.attributes))
        values = {}
        for attribute, given, constant in abbreviation.attributes:
            form = given
            if form == INDIRECT:
                form, at = uleb(data, at)
            if form == IMPLICIT:
                values[attribute] = Value(form, constant)
            else:
                found, at = read(data, form, at, self.width, self.version)
                values[attribute] = Value(form, found)
        if at > self.end:
            raise Damaged
        return Entry(abbreviation.tag, abbreviation.has_children, values, at)

    def text(self, entry: Entry, attribute: int) -> str:
        """A string attribute; empty if the entry does not have it."""
        value = entry.values.get(attribute)
        if value is None:
            return ""
        form, at = value
        if form == STRING:
            return self.file.text("info", at)
        if form in STRINGS:
            return self.file.text(STRINGS[form], at)
        if form in STRX:
            width = self.width
            offsets = self.file.sections.get("str_offsets", b"")
            return self.file.text("str", number(offsets, self._strings + at * width, width))
        if form in ALT_STRINGS and self.file.alternate is not None:
            return self.file.alternate.text("str", at)
        return ""

    @cached_property
    def _strings(self) -> int:
        """Start of the unit's string offsets; in version 5 a header precedes it."""
        split = 0 if self.version < 5 else 2 * self.width
        return self.top.number(STR_OFFSETS_BASE, split)

    def address(self, value: Value) -> int:
        if value.form not in ADDRX:
            return value.number
        owner = self.skeleton or self
        base = owner.top.number(ADDR_BASE, owner.top.number(GNU_ADDR_BASE))
        return number(owner.file.sections.get("addr", b""), base + 8 * value.number, 8)

    def referred(self, value: Value) -> tuple[Unit, int] | None:
        """The unit and offset of the entry that an attribute refers to; None if its file is
        missing.
        """
        form, at = value
        if form in LOCAL_REFS:
            at += self.offset
            if not self.first <= at < self.end:
                raise Damaged
            return self, at
        if form == REF_ADDR:
            return self.file.unit_at(at), at
        if form in ALT_REFS and self.file.alternate is not None:
            return self.file.alternate.unit_at(at), at
        return None
