"""The summary of a run for a notebook: its end, page faults and forks, and who shares what."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from emu.observe.analysis.cow_profile import CowProfile
from emu.results.cow import Cow
from emu.results.html import block, heading, pairs
from emu.results.sharing_picture import sharing_picture
from kernel.mm.outcome import Outcome

_MOST_OUTPUT = 2_000
_MOST_COMMAND = 200


def summary_html(
    command: Sequence[str],
    status: int,
    output: Sequence[bytes],
    notes: Sequence[str],
    counters: dict[str, Any],
    profile: CowProfile | None,
) -> str:
    """The summary; copies and the picture only with a ``profile``."""
    parts = [heading(f"{_command(command)}: status {status}"), *map(block, notes)]
    parts += [block(text) for text in map(_text, output) if text]
    if counters:
        parts.append(_counters(counters))
    if profile is not None:
        if profile.forks:
            parts += [heading("Copy-on-write"), Cow(profile)._repr_html_()]
        picture = sharing_picture(profile)
        if picture:
            parts += [heading("Who shares what"), picture]
    return f"<div>{''.join(parts)}</div>"


def _command(words: Sequence[str]) -> str:
    command = shlex.join(words)
    return command[:_MOST_COMMAND] + "…" if len(command) > _MOST_COMMAND else command


def _text(output: bytes) -> str:
    """The first part of the output; control characters could change the page's look."""
    text = output[:_MOST_OUTPUT].decode("utf-8", "replace")
    shown = "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text).rstrip("\n")
    rest = len(output) - _MOST_OUTPUT
    return shown + (f"\n… {rest:,} more bytes" if rest > 0 else "")


def _counters(summary: dict[str, Any]) -> str:
    faults = summary["faults"]
    calls = f"forks {summary['forks']:,}, system calls {summary['system_calls']:,}"
    rows = [
        ("processes", summary["processes"], calls),
        ("page faults", sum(faults.values()), ""),
        *(("", faults[each], each.meaning) for each in Outcome if faults.get(each)),
        ("peak frames", summary["frames_peak"], f"{summary['frames_peak'] * 4:,} KiB"),
    ]
    return pairs(rows)
