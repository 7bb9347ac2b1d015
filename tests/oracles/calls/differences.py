"""Intended differences of emu from Linux: patterns for lines of the programs' output, with
reasons."""

from __future__ import annotations

DIFFERENCES = {
    "madvise *, 102: *": "guard regions are in Linux since 6.13; here they are not supported",
    "madvise *, 103: *": "as 102",
    "memfd_create 0x4: *": "huge pages are not supported",
    "prctl 65 *": "PR_SET_MDWE is in Linux since 6.3",
    "prctl 66 *": "as 65",
    "prctl 67 *": "pages are not merged",
    "prctl 68 *": "as 67",
}
