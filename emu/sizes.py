"""Sizes of memory as users write them, such as ``64M``."""

from __future__ import annotations

import re

from emu.machine.pte import PAGE_SIZE

UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
LARGEST = 1 << 38
"""Bytes; a size beyond it is returned as one byte more."""
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([kmg]?)(?:i?b)?", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Bytes of ``64M``, ``2G`` or ``1048576``, rounded up to whole pages. Raises ValueError."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r}: not a size (expected a size such as 64M)")
    size = float(match[1]) * UNITS[match[2].lower()]
    return (int(min(size, LARGEST + 1)) + PAGE_SIZE - 1) & -PAGE_SIZE
