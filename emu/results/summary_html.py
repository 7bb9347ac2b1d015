"""The summary of a run for a notebook: its end, page faults and forks, and who shares what."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from emu.results.cow import Cow
from emu.results.html import block, heading, pairs
from emu.results.sharing_picture import sharing_picture
from kernel.mm.outcome import Outcome

if TYPE_CHECKING:
    from emu.results.result import Result

_MOST_OUTPUT = 2_000
_MOST_COMMAND = 200


def summary_html(result: Result) -> str:
    """The summary of ``result``; its copies and the picture only if page faults were recorded."""
    parts = [heading(_end(result)), *map(block, result.notes)]
    parts += [block(text) for text in (_text(result.stdout), _text(result.stderr)) if text]
    parts.append(_counters(result))
    if result.recording is not None:
        profile = result.recording.profile
        if profile.forks:
            parts += [heading("Copy-on-write"), Cow(profile)._repr_html_()]
        picture = sharing_picture(profile)
        if picture:
            parts += [heading("Who shares what"), picture]
    return f"<div>{''.join(parts)}</div>"


def _end(result: Result) -> str:
    command = shlex.join(result.command)
    if len(command) > _MOST_COMMAND:
        command = command[:_MOST_COMMAND] + "…"
    return f"{command}: status {result.status}"


def _text(output: bytes) -> str:
    """The first part of the output; control characters could change the page's look."""
    text = output[:_MOST_OUTPUT].decode("utf-8", "replace")
    shown = "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text).rstrip("\n")
    rest = len(output) - _MOST_OUTPUT
    return shown + (f"\n… {rest:,} more bytes" if rest > 0 else "")


def _counters(result: Result) -> str:
    summary = result.summary
    if not summary:
        return ""
    faults = summary["faults"]
    calls = f"forks {summary['forks']:,}, system calls {summary['system_calls']:,}"
    rows = [
        ("processes", summary["processes"], calls),
        ("page faults", sum(faults.values()), ""),
        *(("", faults[each], each.meaning) for each in Outcome if faults.get(each)),
        ("peak frames", summary["frames_peak"], f"{summary['frames_peak'] * 4:,} KiB"),
    ]
    return pairs(rows)
