"""LEB128 numbers: seven bits a byte, the lowest first (DWARF 5, 7.6)."""

from __future__ import annotations

_MOST_BITS = 70
"""As many bytes of seven bits as a 64-bit number needs."""


def decode(data: bytes, at: int, *, signed: bool = False) -> tuple[int, int]:
    """Decodes the number at an offset; returns it and the offset after it.

    Raises ValueError if it is truncated or has more than ten bytes.
    """
    value = shift = 0
    while at < len(data) and shift < _MOST_BITS:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value - (1 << shift) if signed and byte & 0x40 else value, at
    raise ValueError("not a LEB128 number")
