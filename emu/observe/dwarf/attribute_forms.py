"""Encodings of attribute values (DWARF 5, 7.5.6)."""

from __future__ import annotations

from emu import leb128

ADDR, RNGLISTX = 0x01, 0x23
ADDRX = frozenset((0x1B, 0x29, 0x2A, 0x2B, 0x2C, 0x1F01))
STRX = frozenset((0x1A, 0x25, 0x26, 0x27, 0x28, 0x1F02))
LOCAL_REFS = frozenset((0x11, 0x12, 0x13, 0x14, 0x15))
REF_ADDR, ALT_REFS = 0x10, frozenset((0x1F20, 0x1C, 0x24))
STRINGS = {0x0E: "str", 0x1F: "line_str"}
ALT_STRINGS = frozenset((0x1F21, 0x1D))
STRING, INDIRECT, IMPLICIT, _PRESENT, _SDATA = 0x08, 0x16, 0x21, 0x19, 0x0D
_FIXED = {
    **dict.fromkeys((0x0B, 0x0C, 0x11, 0x25, 0x29), 1),
    **dict.fromkeys((0x05, 0x12, 0x26, 0x2A), 2),
    **dict.fromkeys((0x27, 0x2B), 3),
    **dict.fromkeys((0x06, 0x13, 0x28, 0x2C, 0x1C), 4),
    **dict.fromkeys((0x07, 0x14, 0x20, 0x24), 8),
    0x1E: 16,
}
_OFFSETS = frozenset((0x0E, 0x17, 0x1F, 0x1D, 0x10, 0x1F20, 0x1F21))
_ULEBS = frozenset((0x0F, 0x15, 0x1A, 0x1B, 0x22, 0x23, 0x1F01, 0x1F02, _SDATA))
_BLOCKS = {0x0A: 1, 0x03: 2, 0x04: 4}
_LEB_BLOCKS = (0x09, 0x18)


class Damaged(Exception):
    """Invalid or truncated debug information."""


def number(data: bytes, at: int, size: int) -> int:
    """Decodes a little-endian unsigned number. Raises :class:`Damaged` if it is truncated."""
    if not 0 <= at <= len(data) - size:
        raise Damaged
    return int.from_bytes(data[at : at + size], "little")


def uleb(data: bytes, at: int) -> tuple[int, int]:
    """Decodes an unsigned LEB128 number; returns it and the offset after it."""
    try:
        return leb128.decode(data, at)
    except ValueError:
        raise Damaged from None


def read(data: bytes, form: int, at: int, width: int, version: int) -> tuple[int, int]:
    """Decodes the value at an offset; returns it and the offset after it.

    The value of a string form is the string's offset, that of a block is 0. ``width`` is the size
    of an offset in the unit, ``version`` its DWARF version.
    """
    size = _FIXED.get(form)
    if size is None:
        if form in _ULEBS:
            return uleb(data, at)
        if form in _OFFSETS:
            size = width if form != REF_ADDR or version > 2 else 8
        elif form == ADDR:
            size = 8
    if size is not None:
        return int.from_bytes(data[at : at + size], "little"), at + size
    if form == _PRESENT:
        return 1, at
    if form == STRING:
        end = data.find(b"\0", at)
        if end < 0:
            raise Damaged
        return at, end + 1
    if form in _LEB_BLOCKS:
        length, at = uleb(data, at)
        return 0, at + length
    if form in _BLOCKS:
        return 0, at + _BLOCKS[form] + number(data, at, _BLOCKS[form])
    raise Damaged
