"""The story of a page, in lines of at most 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

import msgspec

from emu.observe.analysis.page_history import Episode, PageHistory, PageState, Step
from emu.observe.model.records import Range

_WIDTH = 80
_MOST_STEPS = 40
"""Of a process; what lies between the first and the last of more is left out."""
_DEEPEST = 5


MOST_PROCESSES = 50


def page_history_text(
    story: PageHistory, title: str, pid: int | None = None, most: int | None = MOST_PROCESSES
) -> str:
    """All of it, or what concerns one process: itself, and its ancestors up to its fork; of at
    most so many images of processes.
    """
    page = f"page {story.page:#x}"
    lines = wrap(f"{page}: {title}" if title else page, _WIDTH)
    told = [(chapter, until) for chapter, until in _chosen(story, pid) if chapter.steps]
    if not story.was_mapped:
        lines += _never(story)
    elif not told:
        had = sorted({chapter.memory.pid for chapter in story.chapters})
        lines += wrap(f"pid {pid} never had it; " + _pids(had) + " had", _WIDTH)
    for chapter, until in told[:most]:
        lines += ["", *_chapter(chapter, until)]
    if most is not None and len(told) > most:
        lines += ["", f"… {len(told) - most:,} more processes (--all shows them, --pid N one)"]
    return "\n".join(lines)


def page_history_json(story: PageHistory, title: str, pid: int | None = None) -> str:
    return msgspec.json.encode(
        {
            "page": story.page,
            "target": title,
            "mapped": story.was_mapped,
            "processes": [
                {
                    "pid": chapter.memory.pid,
                    "name": chapter.memory.name,
                    "parent": chapter.origin.memory.pid if chapter.origin else None,
                    "steps": [_plain(step) for step in _until(chapter.steps, until)],
                }
                for chapter, until in _chosen(story, pid)
            ],
        }
    ).decode()


def _plain(step: Step) -> dict[str, object]:
    states = {"before": step.before, "after": step.after}
    told: dict[str, object] = {"seq": step.seq, "time": step.time, "text": step.text}
    return told | {name: _state(s) for name, s in states.items() if s is not None}


def _state(state: PageState) -> dict[str, object]:
    pte, frame, flags, holders = state
    return {"pte": pte, "frame": frame, "flags": flags, "count": holders}


def _chosen(story: PageHistory, pid: int | None) -> list[tuple[Episode, int | None]]:
    """Chapters with the record at which to end each: parents first, then their children's."""
    if pid is None:
        return [(each, None) for each in _trees(story.chapters)]
    chosen: dict[tuple[Episode, int | None], None] = {}
    for chapter in [each for each in story.chapters if each.memory.pid == pid]:
        path: list[tuple[Episode, int | None]] = [(chapter, None)]
        below = chapter
        while (origin := below.origin) is not None:
            path.append((origin, below.steps[0].seq if below.steps else 0))
            below = origin
        chosen.update(dict.fromkeys(reversed(path)))
    return list(chosen)


def _trees(chapters: Sequence[Episode]) -> Iterator[Episode]:
    members = set(chapters)
    children: dict[Episode | None, list[Episode]] = {}
    for chapter in chapters:
        parent = chapter.origin if chapter.origin in members else None
        children.setdefault(parent, []).append(chapter)
    waiting = children.get(None, [])[::-1]
    while waiting:
        chapter = waiting.pop()
        yield chapter
        waiting += reversed(children.get(chapter, []))


def _until(steps: Sequence[Step], seq: int | None) -> Sequence[Step]:
    return steps if seq is None else [step for step in steps if step.seq <= seq]


def _chapter(chapter: Episode, until: int | None) -> list[str]:
    depth, origin = 0, chapter.origin
    while origin is not None and depth < _DEEPEST:
        depth, origin = depth + 1, origin.origin
    indent = "  " * depth
    name = f" {chapter.memory.name}" if chapter.memory.name else ""
    parent = f", child of pid {chapter.origin.memory.pid}" if chapter.origin is not None else ""
    lines = [f"{indent}pid {chapter.memory.pid}{name}{parent}"]
    steps = _until(chapter.steps, until)
    left_out = len(steps) - _MOST_STEPS
    for number, step in enumerate(steps):
        if left_out > 0 and _MOST_STEPS // 2 <= number < _MOST_STEPS // 2 + left_out:
            if number == _MOST_STEPS // 2:
                lines.append(f"{indent}{'':13}… {left_out:,} more steps (--json has them all)")
            continue
        lines += _step(step, indent)
    return lines


def _step(step: Step, indent: str) -> list[str]:
    start = f"{indent}{step.time / 1e6:>10.3f} ms  "
    rest = " " * len(start)
    lines = wrap(step.text, _WIDTH, initial_indent=start, subsequent_indent=rest)
    if step.before is not None and step.after is not None:
        lines += wrap(
            _change(step.before, step.after), _WIDTH, initial_indent=rest, subsequent_indent=rest
        )
    return lines


def _change(before: PageState, after: PageState) -> str:
    """A frame that comes, or goes, has no count before, or after, in this process."""
    one, other = _entry(before), _entry(after)
    text = f"pte {one}" if one == other else f"pte {one} → {other}"
    if before.holders and after.holders:
        return f"{text}, count {before.holders} → {after.holders}"
    if after.holders:
        return f"{text}, count {after.holders}"
    return f"{text}, count was {before.holders}" if before.holders else text


def _entry(state: PageState) -> str:
    return f"{state.frame:#x} {state.flags}" if state.flags else "none"


def _never(story: PageHistory) -> list[str]:
    below = [each for each in story.ranges.values() if each.end <= story.page]
    above = [each for each in story.ranges.values() if each.start > story.page]
    lines = ["it was never mapped"]
    if below:
        lines += _nearest("below", max(below, key=lambda each: each.end))
    if above:
        lines += _nearest("above", min(above, key=lambda each: each.start))
    return lines


def _nearest(side: str, mapped: Range) -> list[str]:
    name = f" {mapped.name}" if mapped.name else ""
    text = f"nearest mapping {side}: {mapped.start:#x}-{mapped.end:#x} {mapped.rights}{name}"
    return wrap(text, _WIDTH, break_on_hyphens=False)


def _pids(pids: Sequence[int]) -> str:
    shown = ", ".join(f"pid {pid}" for pid in pids[:10])
    return shown + (f" and {len(pids) - 10:,} more" if len(pids) > 10 else "")
