"""The copy-on-write profile as tables of at most 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from emu.observe.analysis.cow_collector import site_text
from emu.observe.analysis.cow_profile import PAGE_SIZE, CowProfile, FewBytes, ForkShare, Site, Usage

_WIDTH = 80
_BARS = "▁▂▃▄▅▆▇█"
_SPARK = 30


def cow_text(profile: CowProfile, top: int = 10) -> str:
    """The whole profile; of each ranking at most ``top`` rows."""
    sections = [
        _totals(profile),
        _forks(profile.forks, top),
        _sites("lines", profile.lines, top),
        _sites("functions", profile.functions, top),
        _sites("mappings", profile.mappings, top),
        _sites("heap sites", profile.heap, top),
        _few(profile, top),
        _memory(profile.memory, top),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


def limit_message(profile: CowProfile, most: float) -> str | None:
    """A message if more than ``most`` KiB were copied for fork; otherwise None."""
    if profile.bytes_copied <= most * 1024:
        return None
    text = f"{_kib(profile.bytes_copied)} were copied for fork, more than the {most:g} KiB allowed"
    if profile.lines:
        worst = profile.lines[0]
        return f"{text}; most by {site_text(worst)} ({_kib(worst.bytes_copied)})"
    worst_fork = max(profile.forks, key=lambda fork: fork.bytes_copied)
    return f"{text}; most by the fork of pid {worst_fork.child} ({_kib(worst_fork.bytes_copied)})"


def _totals(profile: CowProfile) -> list[str]:
    copied, eager = profile.frames_copied, profile.eager_copies
    saved = f", copy-on-write saved {100 * (eager - copied) / eager:.0f} %" if eager else ""
    at_once = copied - profile.copied - profile.collapse_copies
    lines = [
        f"copied for fork  {_kib(profile.bytes_copied):>13}   {_pages(copied)}"
        + (f", {at_once:,} of them at the fork" if at_once else ""),
        f"bytes changed    {_bytes(profile.bytes_changed):>13}   "
        f"of the pages copied at a store{_share(profile)}",
        f"reused           {_kib(profile.reused * PAGE_SIZE):>13}   "
        f"{_pages(profile.reused)}, no copy",
        f"eager copying    {_kib(eager * PAGE_SIZE):>13}   {_pages(eager)}"
        + (saved if copied < eager else ""),
    ]
    if profile.file_copied:
        lines.append(
            f"file's pages     {_kib(profile.file_copied * PAGE_SIZE):>13}   "
            f"{_pages(profile.file_copied)} copied, not for fork"
        )
    if profile.huge_mapped or profile.huge_split or profile.huge_collapsed:
        lines += _huge_pages(profile)
    if profile.mapped_around:
        lines.append(
            f"mapped around    {_kib(profile.mapped_around * PAGE_SIZE):>13}   "
            f"{_pages(profile.mapped_around)} in the cache, no fault of their own"
        )
    other = profile.without_fork
    if other.copied or other.reused:
        lines.append(
            f"without fork     {other.copied + other.reused:>13,}   "
            f"pages, {other.copied:,} of them copied: W was taken by other means"
        )
    if profile.copies_without_end:
        lines.append(
            f"unknown          {profile.copies_without_end:>13,}   copies with no end in the trace"
        )
    return lines


def _huge_pages(profile: CowProfile) -> list[str]:
    """Huge pages, and the effects of stores to shared ones; below them other changes of size."""
    others = profile.huge_split - profile.huge_split_by_store
    copies = profile.collapse_copies
    of_shared = f", {_pages(copies)} copied for it" if copies else ""
    more = [f"{profile.huge_collapsed:,} collapsed{of_shared}"] if profile.huge_collapsed else []
    more += [f"{others:,} split otherwise"] if others else []
    return [
        f"huge pages       {profile.huge_mapped:>13,}   mapped; "
        f"{profile.huge_split_by_store:,} split by a store, {profile.huge_copied:,} copied whole",
        *([f"{'':30}   {', '.join(more)}"] if more else []),
    ]


def _share(profile: CowProfile) -> str:
    whole = profile.copied * PAGE_SIZE
    return f": {100 * profile.bytes_changed / whole:.2g} %" if whole else ""


def _forks(forks: Sequence[ForkShare], top: int) -> list[str]:
    if not forks:
        return ["no fork shared memory"]
    lines = [
        "                          pages  copied by     reused by        KiB    bytes",
        "fork    parent   child   shared parent  child parent  child   copied  changed",
    ]
    ranked = sorted(forks, key=lambda fork: (-fork.bytes_copied, fork.number))[:top]
    for fork in sorted(ranked, key=lambda fork: fork.number):
        lines.append(
            f"{fork.number:<5} {fork.parent:>8} {fork.child:>7} {fork.pages_shared:>8} "
            f"{fork.by_parent.copied:>6} {fork.by_child.copied:>6} "
            f"{fork.by_parent.reused:>6} {fork.by_child.reused:>6} "
            f"{fork.bytes_copied >> 10:>8} {fork.bytes_changed:>8}"
        )
    return _with_rest(lines, len(forks) - len(ranked), "forks that copied less")


def _sites(title: str, sites: Sequence[Site], top: int) -> list[str]:
    if not sites:
        return []
    lines = ["     KiB    bytes", f"  copied  changed  {title}"]
    for site in sites[:top]:
        row = f"{site.bytes_copied >> 10:>8} {site.bytes_changed:>8}  "
        lines.append(row + _cut(site_text(site), _WIDTH - len(row)))
    return _with_rest(lines, len(sites) - top, "more")


def _few(profile: CowProfile, top: int) -> list[str]:
    pages = profile.for_few
    if not pages:
        return []
    copies = sum(page.copies for page in pages)
    lines = [
        f"copied for at most {profile.few_bytes} changed bytes: {copies:,} "
        f"of {profile.copies:,} copies",
        "  copies    bytes      address  stored to by, in",
    ]
    return _with_rest(lines + [_few_row(page) for page in pages[:top]], len(pages) - top, "more")


def _few_row(page: FewBytes) -> str:
    row = f"{page.copies:>8} {page.bytes_changed:>8} {page.address:#12x}  "
    return row + _cut(f"{page.where}, {page.mapping}", _WIDTH - len(row), keep_start=True)


def _memory(usages: Sequence[Usage], top: int) -> list[str]:
    """Peaks of each process, and charts of its resident and unique size over time."""
    if not usages:
        return []
    largest = sorted(usages, key=lambda usage: -max(usage.resident))[:top]
    lines = [
        "memory in KiB, maximum                           over time",
        "pid     name             resident  share   own  (resident above, own below)",
    ]
    selection = {id(usage) for usage in largest}
    for usage in [usage for usage in usages if id(usage) in selection]:
        row = (
            f"{usage.pid:<7} {_cut(usage.name, 16):<16} {max(usage.resident) * 4:>8} "
            f"{max(usage.proportional) * 4:>6.0f} {max(usage.unique) * 4:>5}"
        )
        most = max(usage.resident)
        lines.append(f"{row}  {_spark(usage.resident, most)}")
        lines.append(f"{'':{len(row)}}  {_spark(usage.unique, most)}")
    return _with_rest(lines, len(usages) - len(largest), "smaller processes")


def _spark(values: Sequence[float], most: float) -> str:
    """A bar for each sample, or for the largest of several neighbours."""
    count = min(len(values), _SPARK)
    groups = [
        values[at * len(values) // count : (at + 1) * len(values) // count] for at in range(count)
    ]
    steps = len(_BARS) - 1
    return "".join(_BARS[round(max(group) * steps / (most or 1))] for group in groups)


def _with_rest(lines: list[str], more: int, what: str) -> list[str]:
    return [*lines, f"… and {more:,} {what}"] if more > 0 else lines


def _cut(text: str, width: int, *, keep_start: bool = False) -> str:
    """At most ``width`` characters; of a longer text the end, which is specific in a path."""
    if len(text) <= width:
        return text
    return f"{text[: width - 1]}…" if keep_start else f"…{text[len(text) - width + 1 :]}"


def _pages(count: int) -> str:
    return f"{count:,} page" + ("" if count == 1 else "s")


def _kib(count: int) -> str:
    return f"{count >> 10:,} KiB"


def _bytes(count: int) -> str:
    return f"{count:,} bytes"
