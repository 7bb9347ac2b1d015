"""The part of Protocol Buffers' wire format that a writer needs.

Specification: https://protobuf.dev/programming-guides/encoding/. Each function returns the bytes of
one field. ``google.protobuf`` would be a dependency of every run.
"""

from __future__ import annotations

from struct import Struct

_VARINT, _FIXED64, _BYTES = 0, 1, 2
_DOUBLE = Struct("<d")
_QUAD = Struct("<Q")
_BITS = (1 << 64) - 1


def varint(value: int) -> bytes:
    """Seven bits per byte, lowest first. A negative number is encoded as 64 bits."""
    value &= _BITS
    if value < 0x80:
        return _SMALL[value]
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


_SMALL = [bytes([value]) for value in range(0x80)]


def number(field: int, value: int) -> bytes:
    """A field of type int32, int64, uint32, uint64, bool or enum."""
    return varint(field << 3 | _VARINT) + varint(value)


def fixed64(field: int, value: int) -> bytes:
    return varint(field << 3 | _FIXED64) + _QUAD.pack(value)


def double(field: int, value: float) -> bytes:
    return varint(field << 3 | _FIXED64) + _DOUBLE.pack(value)


def message(field: int, *fields: bytes) -> bytes:
    """A field that contains other fields."""
    body = b"".join(fields)
    return varint(field << 3 | _BYTES) + varint(len(body)) + body


def text(field: int, value: str) -> bytes:
    return message(field, value.encode("utf-8", "replace"))
