"""A picture of the processes that forked: the pages that each shares, and those that it has alone.

Each process is a bar in the order of the forks, indented below its parent. The bar is its memory
at the time at which it shared most; the text beside it says what it shared and copied in all.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from emu.observe.analysis.cow_profile import CowProfile, ForkShare, Usage

_ROW, _INDENT, _BAR, _LEFT = 24, 14, 280, 150
_TEXT = _LEFT + _BAR + 12
_WIDTH = _TEXT + 340
_MOST = 24
"""Maximum number of processes in the picture."""
_DEEPEST = 6
_SHARED, _OWN = "#4c78a8", "#f58518"
_LEGEND = ((_SHARED, "pages shared with another process or the page cache's"), (_OWN, "its own"))


@dataclass(slots=True)
class _Row:
    pid: int
    name: str
    depth: int
    shared: int
    own: int
    text: str


def sharing_picture(profile: CowProfile) -> str:
    """An SVG picture; empty when no fork shared memory."""
    rows = _rows(profile)
    if not rows:
        return ""
    most = max(row.shared + row.own for row in rows) or 1
    shown = rows[:_MOST]
    height = _ROW * (len(shown) + 2)
    parts = [_legend(), *(_bar(at, row, most) for at, row in enumerate(shown, 1))]
    if len(rows) > len(shown):
        rest = f"and {len(rows) - len(shown):,} more processes"
        parts.append(_label(0, _ROW * (len(shown) + 1) + 15, rest))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="12" '
        f'fill="currentColor" role="img" aria-label="who shares what">{"".join(parts)}</svg>'
    )


def _rows(profile: CowProfile) -> list[_Row]:
    by_parent: dict[int, list[ForkShare]] = {}
    for fork in profile.forks:
        by_parent.setdefault(fork.parent, []).append(fork)
    children = {fork.child for fork in profile.forks}
    usage = _usage_by_pid(profile)
    rows: list[_Row] = []
    pending: list[tuple[int, int, ForkShare | None]] = [
        (pid, 0, None) for pid in reversed(by_parent) if pid not in children
    ]
    while pending:
        pid, depth, of = pending.pop()
        forks = by_parent.pop(pid, [])
        rows.append(_row(usage.get(pid), pid, depth, of, forks))
        pending += [(each.child, depth + 1, each) for each in reversed(forks)]
    return rows


def _usage_by_pid(profile: CowProfile) -> dict[int, Usage]:
    """The image of each process that has most pages in common with others."""
    found: dict[int, Usage] = {}
    for usage in profile.memory:
        known = found.get(usage.pid)
        if known is None or _most_shared(usage)[0] > _most_shared(known)[0]:
            found[usage.pid] = usage
    return found


def _most_shared(usage: Usage) -> tuple[int, int]:
    """The shared pages and the pages of its own, at the time at which it shared most."""
    pairs = zip(usage.resident, usage.unique, strict=True)
    return max(((resident - own, own) for resident, own in pairs), default=(0, 0))


def _row(
    usage: Usage | None, pid: int, depth: int, fork: ForkShare | None, forks: list[ForkShare]
) -> _Row:
    shared, own = _most_shared(usage) if usage is not None else (0, 0)
    copied = sum(each.by_parent.copied for each in forks)
    text = [f"{shared:,} shared, {own:,} own"] if usage is not None else []
    if fork is not None:
        copied += fork.by_child.copied + fork.frames_copied
        text.append(f"{fork.pages_shared:,} from {fork.parent} by fork")
    if copied:
        text.append(f"{copied:,} copied in all")
    name = usage.name if usage is not None else ""
    return _Row(pid, name, depth, shared, own, ", ".join(text))


def _bar(at: int, row: _Row, most: int) -> str:
    top = at * _ROW
    left = _INDENT * min(row.depth, _DEEPEST)
    sign = "└ " if row.depth else ""
    parts = [_label(left, top + 15, f"{sign}{row.pid} {row.name.rpartition('/')[2][:14]}")]
    x = float(_LEFT)
    for colour, pages, what in ((_SHARED, row.shared, "shared"), (_OWN, row.own, "its own")):
        width = _BAR * pages / most
        if pages:
            parts.append(
                f'<rect x="{x:.1f}" y="{top + 4}" width="{max(width, 1):.1f}" height="14" '
                f'fill="{colour}"><title>{pages:,} pages {what}</title></rect>'
            )
        x += width
    parts.append(_label(_TEXT, top + 15, row.text))
    return "".join(parts)


def _legend() -> str:
    parts, x = [], _LEFT
    for colour, text in _LEGEND:
        parts.append(f'<rect x="{x}" y="6" width="10" height="10" fill="{colour}"/>')
        parts.append(_label(x + 14, 15, text))
        x += 32 + 7 * len(text)
    return "".join(parts)


def _label(x: float, y: float, text: str) -> str:
    return f'<text x="{x}" y="{y}">{escape(text)}</text>'
