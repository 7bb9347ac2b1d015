"""Tables of ``emu cow`` for the report's page."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

from emu.observe.analysis.cow_collector import site_text
from emu.observe.analysis.cow_profile import PAGE_SIZE, CowProfile, FewBytes, ForkShare, Site
from emu.observe.report.compact import exact

_MOST_ROWS = 25


def cost_data(profile: CowProfile, seqs: list[int]) -> dict[str, Any]:
    """Builds the tables. ``seqs`` are the record numbers of the page's steps, in order."""
    few = profile.for_few
    return {
        "forks": [_fork_row(fork, bisect_left(seqs, fork.seq)) for fork in profile.forks],
        "lines": _site_rows(profile.lines),
        "functions": _site_rows(profile.functions),
        "mappings": _site_rows(profile.mappings),
        "heap": _site_rows(profile.heap),
        "few": {
            "copies": sum(each.copies for each in few),
            "limit": profile.few_bytes,
            "rows": [_few_row(each) for each in few[: 4 * _MOST_ROWS]],
        },
    }


def _fork_row(fork: ForkShare, step: int) -> list[int]:
    parent, child = fork.by_parent, fork.by_child
    return [
        *(step, fork.parent, fork.child, fork.pages_shared, fork.tables_shared),
        *(fork.frames_copied, parent.copied, child.copied, parent.reused + child.reused),
        *(fork.bytes_copied, fork.bytes_changed),
    ]


def _site_rows(sites: list[Site]) -> list[list[Any]]:
    return [
        [site_text(site), site.bytes_copied // PAGE_SIZE, site.bytes_copied, site.bytes_changed]
        for site in sites[:_MOST_ROWS]
    ]


def _few_row(few: FewBytes) -> list[Any]:
    return [exact(few.address), few.mapping, few.where, few.copies, few.bytes_changed]
