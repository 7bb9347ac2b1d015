"""Address ranges of a debugging information entry (DWARF 5, 2.17 and 7.25; DWARF 4, 2.17.3 and
7.24).
"""

from __future__ import annotations

from collections.abc import Iterator

from emu.observe.dwarf.attribute_forms import ADDR, ADDRX, RNGLISTX, Damaged, number, uleb
from emu.observe.dwarf.entries import (
    GNU_RANGES_BASE,
    HIGH_PC,
    LOW_PC,
    RANGES,
    RNGLISTS_BASE,
    Entry,
    Unit,
    Value,
)

_HIGHEST = (1 << 64) - 1
_MOST = 1 << 16
_COST = 32
"""Steps that each stored range is charged for."""
_ADDRX = 0x1B
Ranges = list[tuple[int, int]]


def ranges(unit: Unit, entry: Entry) -> Ranges:
    """The nonempty ranges [start, end) of an entry; none if it has no code.

    A single range of size 0 is returned too: see :mod:`emu.observe.dwarf.split_function_ends`.
    """
    if not entry.values.keys() & {RANGES, LOW_PC}:
        return []
    unit.file.step(_COST)
    low, high, listed = (entry.values.get(each) for each in (LOW_PC, HIGH_PC, RANGES))
    if listed is not None:
        found = _modern(unit, listed) if unit.version >= 5 else _older(unit, listed, entry)
        return [(start, end) for start, end in found if 0 < start < end]
    if low is None or high is None:
        return []
    start = unit.address(low)
    end = unit.address(high) if high.form == ADDR or high.form in ADDRX else start + high.number
    # Linkers set the address of discarded code to 0.
    return [(start, end)] if 0 < start <= end else []


def _base(unit: Unit) -> int:
    owner = unit.skeleton or unit
    low = owner.top.values.get(LOW_PC)
    return 0 if low is None else owner.address(low)


def _older(unit: Unit, listed: Value, entry: Entry) -> Iterator[tuple[int, int]]:
    owner = unit.skeleton or unit
    data, at = owner.file.sections.get("ranges", b""), listed.number
    if unit.skeleton is not None:
        at += owner.top.number(GNU_RANGES_BASE)
    base = _base(unit)
    for _ in range(_MOST):
        unit.file.step(_COST)
        start, end = number(data, at, 8), number(data, at + 8, 8)
        at += 16
        if start == _HIGHEST:
            base = end
        elif not start and not end:
            return
        else:
            yield base + start, base + end


def _modern(unit: Unit, listed: Value) -> Iterator[tuple[int, int]]:
    data, at = unit.file.sections.get("rnglists", b""), listed.number
    if listed.form == RNGLISTX:
        header = 12 if unit.width == 4 else 20
        table = unit.top.number(RNGLISTS_BASE, header)
        at = table + number(data, table + at * unit.width, unit.width)
    base = _base(unit)
    for _ in range(_MOST):
        unit.file.step(_COST)
        kind, at = number(data, at, 1), at + 1
        if not kind:
            return
        if kind in (1, 2, 3, 4):  # ULEB128 numbers: an index or a pair
            first, at = uleb(data, at)
            second = 0
            if kind != 1:
                second, at = uleb(data, at)
            if kind == 4:
                yield base + first, base + second
                continue
            start = unit.address(Value(_ADDRX, first))
            if kind == 1:
                base = start
            elif kind == 2:
                yield start, unit.address(Value(_ADDRX, second))
            else:
                yield start, start + second
        elif kind == 5:
            base, at = number(data, at, 8), at + 8
        elif kind in (6, 7):
            start, at = number(data, at, 8), at + 8
            if kind == 6:
                yield start, number(data, at, 8)
                at += 8
            else:
                length, at = uleb(data, at)
                yield start, start + length
        else:
            raise Damaged
