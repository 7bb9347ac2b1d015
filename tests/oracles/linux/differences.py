"""Known differences of emu from Linux: for each program, patterns of lines, with reasons.

A pattern matches the end of a step's name or a line of either side, as in fnmatch(3).
"""

from __future__ import annotations

DIFFERENCES: dict[str, dict[str, str]] = {}
