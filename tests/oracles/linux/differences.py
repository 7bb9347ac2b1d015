"""Known differences of emu from Linux: for each program, patterns of lines, with reasons.

A pattern matches the end of a step's name or a line of either side, as in fnmatch(3).
"""

from __future__ import annotations

_REFERENCED = (
    "smaps also counts a page as referenced when the page cache's own flag says so: write(2) sets "
    "it, and the lists of reclaim clear it; here the A bits of PTEs alone say so"
)
DIFFERENCES: dict[str, dict[str, str]] = {
    "around": {
        "*child: at the start: Rss 192 *": _REFERENCED,
        "child: load page 21: Rss 192 *": _REFERENCED,
        "child: store to page 22: Rss 192 *": _REFERENCED,
    },
}
