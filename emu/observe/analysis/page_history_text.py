"""The history of a page, in lines of at most 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

import msgspec

from emu.observe.analysis.page_episode import Episode, PageState, Step
from emu.observe.analysis.page_history import PageHistory
from emu.observe.model.records import Range

_WIDTH = 80
_MOST_STEPS = 40
"""Maximum number of steps per process; those in the middle are omitted."""
_DEEPEST = 5


MOST_PROCESSES = 50


def page_history_text(
    history: PageHistory, title: str, pid: int | None = None, most: int | None = MOST_PROCESSES
) -> str:
    """The whole history, or that of process ``pid`` and its ancestors up to its fork; at most
    ``most`` episodes.
    """
    page = f"page {history.page:#x}"
    lines = wrap(f"{page}: {title}" if title else page, _WIDTH)
    shown = [(episode, until) for episode, until in _selection(history, pid) if episode.steps]
    if not history.was_mapped:
        lines += _never_mapped(history)
    elif not shown:
        holders = sorted({episode.memory.pid for episode in history.episodes})
        lines += wrap(f"pid {pid} never had it; " + _pids(holders) + " had", _WIDTH)
    for episode, until in shown[:most]:
        lines += ["", *_episode(episode, until)]
    if most is not None and len(shown) > most:
        lines += ["", f"… {len(shown) - most:,} more processes (--all shows them, --pid N one)"]
    return "\n".join(lines)


def page_history_json(history: PageHistory, title: str, pid: int | None = None) -> str:
    return msgspec.json.encode(
        {
            "page": history.page,
            "target": title,
            "mapped": history.was_mapped,
            "processes": [
                {
                    "pid": episode.memory.pid,
                    "name": episode.memory.name,
                    "parent": episode.origin.memory.pid if episode.origin else None,
                    "steps": [_plain(step) for step in _until(episode.steps, until)],
                }
                for episode, until in _selection(history, pid)
            ],
        }
    ).decode()


def _plain(step: Step) -> dict[str, object]:
    states = {"before": step.before, "after": step.after}
    shown: dict[str, object] = {"seq": step.seq, "time": step.time, "text": step.text}
    return shown | {name: _state(s) for name, s in states.items() if s is not None}


def _state(state: PageState) -> dict[str, object]:
    pte, frame, flags, holders = state
    return {"pte": pte, "frame": frame, "flags": flags, "count": holders}


def _selection(history: PageHistory, pid: int | None) -> list[tuple[Episode, int | None]]:
    """Episodes with the number of the last record to show: parents before their children."""
    if pid is None:
        return [(each, None) for each in _trees(history.episodes)]
    selection: dict[tuple[Episode, int | None], None] = {}
    for episode in [each for each in history.episodes if each.memory.pid == pid]:
        path: list[tuple[Episode, int | None]] = [(episode, None)]
        below = episode
        while (origin := below.origin) is not None:
            path.append((origin, below.steps[0].seq if below.steps else 0))
            below = origin
        selection.update(dict.fromkeys(reversed(path)))
    return list(selection)


def _trees(episodes: Sequence[Episode]) -> Iterator[Episode]:
    members = set(episodes)
    children: dict[Episode | None, list[Episode]] = {}
    for episode in episodes:
        parent = episode.origin if episode.origin in members else None
        children.setdefault(parent, []).append(episode)
    waiting = children.get(None, [])[::-1]
    while waiting:
        episode = waiting.pop()
        yield episode
        waiting += reversed(children.get(episode, []))


def _until(steps: Sequence[Step], seq: int | None) -> Sequence[Step]:
    return steps if seq is None else [step for step in steps if step.seq <= seq]


def _episode(episode: Episode, until: int | None) -> list[str]:
    depth, origin = 0, episode.origin
    while origin is not None and depth < _DEEPEST:
        depth, origin = depth + 1, origin.origin
    indent = "  " * depth
    name = f" {episode.memory.name}" if episode.memory.name else ""
    parent = f", child of pid {episode.origin.memory.pid}" if episode.origin is not None else ""
    lines = [f"{indent}pid {episode.memory.pid}{name}{parent}"]
    steps = _until(episode.steps, until)
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
    """A frame that appears or disappears in this process has only one count."""
    one, other = _entry(before), _entry(after)
    text = f"pte {one}" if one == other else f"pte {one} → {other}"
    if before.holders and after.holders:
        return f"{text}, count {before.holders} → {after.holders}"
    if after.holders:
        return f"{text}, count {after.holders}"
    return f"{text}, count was {before.holders}" if before.holders else text


def _entry(state: PageState) -> str:
    return f"{state.frame:#x} {state.flags}" if state.flags else "none"


def _never_mapped(history: PageHistory) -> list[str]:
    below = [each for each in history.ranges.values() if each.end <= history.page]
    above = [each for each in history.ranges.values() if each.start > history.page]
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
