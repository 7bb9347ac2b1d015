"""Where emu answers otherwise than Linux, and why: lines of the programs' output, as patterns."""

from __future__ import annotations

DIFFERENCES = {
    "madvise *, 102: *": "guard regions are Linux 6.13's; EINVAL says that they are not there",
    "madvise *, 103: *": "as 102",
    "memfd_create 0x4: *": "there are no huge pages",
    "prctl 65 *": "a process that refuses to gain execute rights is Linux 6.3's",
    "prctl 66 *": "as 65",
    "prctl 67 *": "no pages are merged",
    "prctl 68 *": "as 67",
}
