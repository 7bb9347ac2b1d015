"""Makes text from a student safe for reports: bounded, and without control characters."""

from __future__ import annotations

import re
from collections.abc import Iterable

_MAX_LINE = 300
_MAX_LINES = 40
_UNFIT = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # control characters, so a terminal's escapes too
    "\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks that change the direction of text
    "\u2028\u2029\ufeff"
    "\ud800-\udfff\ufffe\uffff]"  # not characters: UTF-8 and XML exclude them
)


def sanitize(text: str, longest: int = _MAX_LINE) -> str:
    """Returns one line in which each character is visible as what it is."""
    line = _UNFIT.sub(_escape, text[: longest + 1])
    return line if len(line) <= longest else line[: longest - 1] + "…"


def sanitize_lines(lines: Iterable[str]) -> list[str]:
    """Returns the first lines, and the number of those omitted."""
    split = [part for line in lines for part in (line.splitlines() or [""])]
    shown = [sanitize(line) for line in split[:_MAX_LINES]]
    if len(split) > _MAX_LINES:
        shown.append(f"… {len(split) - _MAX_LINES} more lines")
    return shown


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if found[0] in "\n\t":
        return {"\n": "\\n", "\t": "\\t"}[found[0]]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
