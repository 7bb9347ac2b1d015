"""Text format of sequences of operations, one on each line.

::

    fork 1                  # pid 1 forks
    fork 1 300              # and 300 times more
    store 2 data+8 0x5a     # pid 2 stores a byte
    load 1 data+8
    read 2 data+0xff0 64 7  # the kernel writes 64 bytes 7 for pid 2, as read(2) does
    fail 1                  # the next allocation finds no frame
    exit 2

Words are names of operations in :mod:`emu.lab.simulation.operations`; an address is a number, or
the name of an area in :mod:`emu.lab.simulation.initial_layout` with an offset. ``#`` begins a
comment.
"""

from __future__ import annotations

from typing import Any

from emu.lab.simulation import operations
from emu.lab.simulation.initial_layout import AREAS
from emu.lab.simulation.operations import Operation

_KINDS: dict[str, Any] = {
    **{kind.__name__.lower(): kind for kind in operations.OPERATION_TYPES},
    "brk": operations.SetBreak,
    "fail": operations.FailAllocation,
}
_LISTED = sorted(set(_KINDS) - {"setbreak", "failallocation"})
_STARTS = {area.name: area.start for area in AREAS}
_RANGES = {
    "pid": (1, 1000),
    "va": (0, (1 << 39) - 1),
    "value": (0, 255),
    "size": (1, 1 << 16),
    "pages": (0, 1 << 12),
    "number": (0, 10_000),
    "children": (1, 1000),
}


class BadScript(Exception):
    """The text is not a valid sequence of operations; the message has the line number."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line}: {why}")
        self.line = line


def parse(text: str) -> list[Operation]:
    """Returns the operations in ``text``. Raises :class:`BadScript`."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if words:
            try:
                found.append(_operation(words))
            except ValueError as error:
                raise BadScript(number, str(error)) from None
    return found


def _operation(words: list[str]) -> Operation:
    name, *values = words
    kind = _KINDS.get(name)
    if kind is None:
        raise ValueError(f"unknown operation {name!r} (expected {', '.join(_LISTED)})")
    most, least = len(kind._fields), len(kind._fields) - len(kind._field_defaults)
    if not least <= len(values) <= most:
        usage = " ".join([name, *(field.upper() for field in kind._fields[:least])])
        raise ValueError(f"{' '.join(words)!r} should be {usage}")
    operation: Operation = kind(*map(_value, kind._fields, values))
    return operation


def _value(field: str, word: str) -> int:
    value = _address(word) if field == "va" else _number(word)
    least, most = _RANGES.get(field, (0, 1 << 39))
    if not least <= value <= most:
        raise ValueError(f"{field} {word} is not in {least} to {most:#x}")
    return value


def _address(word: str) -> int:
    area, plus, offset = word.partition("+")
    if area not in _STARTS:
        if word[:1].isdigit():
            return _number(word)
        raise ValueError(f"unknown area {area!r} (expected {', '.join(_STARTS)})")
    return _STARTS[area] + (_number(offset) if plus else 0)


def _number(word: str) -> int:
    try:
        return int(word, 0)
    except ValueError:
        raise ValueError(f"{word!r} is not a number") from None
