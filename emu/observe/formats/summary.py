"""The summary of a run, as an object with stable keys and as text."""

from __future__ import annotations

from typing import Any

from kernel.kernel import Kernel
from kernel.mm.outcome import Outcome


def summarize(kernel: Kernel, frames_leaked: int) -> dict[str, Any]:
    """The counters of a run that has ended.

    ``faults`` has a count per outcome. ``eager_frames_copied`` is the number of frames that the
    policy ``eager`` copies for the same forks. Frames have 4,096 bytes. ``huge_mapped`` counts the
    huge pages that page faults allocated, ``huge_collapsed`` those of madvise(2), ``huge_split``
    those that became pages of 4 KiB. ``frames_copied`` includes ``frames_copied_at_forks`` and
    ``huge_collapse_copies``, the pages shared by fork that ``huge_collapsed`` copied.
    ``frames_peak`` and ``frames_allocated``, the number of allocations (``--fail-alloc N``),
    include page tables.
    """
    stats, huge = kernel.stats, kernel.frames.huge_events
    return {
        "fork_policy": kernel.config.fork_policy,
        "processes": stats.processes,
        "forks": stats.forks,
        "system_calls": stats.calls,
        "faults": {str(outcome): stats.faults[outcome] for outcome in Outcome},
        "mapped_around": stats.mapped_around,
        "huge_mapped": stats.huge_mapped,
        "huge_split": huge.split,
        "huge_collapsed": huge.collapsed,
        "huge_collapse_copies": huge.collapse_copies,
        "frames_copied": stats.frames_copied + huge.collapse_copies,
        "frames_copied_at_forks": stats.frames_copied_at_forks,
        "frames_reused": stats.frames_reused,
        "tables_shared": stats.tables_shared,
        "tables_copied": stats.tables_copied,
        "middle_tables_shared": stats.middle_tables_shared,
        "middle_tables_copied": stats.middle_tables_copied,
        "tables_made": kernel.frames.tables_made,
        "ptes_written": stats.ptes_written,
        "frames_allocated": kernel.frames.allocations,
        "frames_peak": kernel.frames.peak,
        "frames_leaked": frames_leaked,
        "eager_frames_copied": stats.eager_frames_copied,
    }


def summary_text(summary: dict[str, Any]) -> str:
    """The summary in lines of at most 80 columns."""
    faults: dict[str, int] = summary["faults"]
    lines = [
        f"processes      {summary['processes']:>9,}   forks {summary['forks']:,}, "
        f"system calls {summary['system_calls']:,}",
        f"page faults    {sum(faults.values()):>9,}",
    ]
    lines += [
        f"  {faults[outcome]:>12,}   {outcome.meaning}" for outcome in Outcome if faults[outcome]
    ]
    if summary["mapped_around"]:
        lines.append(
            f"mapped around  {summary['mapped_around']:>9,}   cached pages, by faults beside them"
        )
    lines += _huge_pages(summary)
    copied, eager = summary["frames_copied"], summary["eager_frames_copied"]
    lines += [
        f"frames copied  {copied:>9,}   {_kib(copied)}, for fork ({summary['fork_policy']})",
        f"frames reused  {summary['frames_reused']:>9,}   without a copy",
        f"eager copying  {eager:>9,}   {_kib(eager)}{_saved(copied, eager)}",
        f"peak frames    {summary['frames_peak']:>9,}   {_kib(summary['frames_peak'])}",
    ]
    if summary["tables_shared"]:
        lines.append(
            f"tables shared  {summary['tables_shared']:>9,}   by fork; "
            f"{summary['tables_copied']:,} copied at a later page fault"
        )
    if summary["frames_leaked"]:
        lines.append(f"frames leaked  {summary['frames_leaked']:>9,}   a defect of emu")
    return "\n".join(lines)


def _huge_pages(summary: dict[str, Any]) -> list[str]:
    mapped, split, collapsed = (
        summary[f"huge_{what}"] for what in ("mapped", "split", "collapsed")
    )
    if not mapped and not split and not collapsed:
        return []
    others = f"{collapsed:,} collapsed, {split:,} split"
    return [f"huge pages     {mapped:>9,}   of 2 MiB, by page faults; {others}"]


def _saved(copied: int, eager: int) -> str:
    if not eager or copied >= eager:
        return ""
    return f": copy-on-write saved {100 * (eager - copied) / eager:.0f} %"


def _kib(frames: int) -> str:
    return f"{frames * 4:,} KiB"
