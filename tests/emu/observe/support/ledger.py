"""Checks a trace against itself and against the kernel's own counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TypeVar

from emu.machine.pte import HUGE_FRAMES, HUGE_SIZE, PPN_SHIFT, V, is_leaf, ppn, vpn
from emu.observe.model.records import AnyRecord, CopyEnd, Fault, Fork, PageSize
from tests.emu.observe.support.recorded import Recorded

COPIES = ("copied", "file_copied")
FAILED = ("segv_maperr", "segv_accerr", "bus_adrerr", "out_of_memory")
NEW = ("zero_filled", "stack_grown", *COPIES)
LAST = 16
"""Maximum number of sharers that are named."""

Kind = TypeVar("Kind")


def of_kind(records: list[AnyRecord], kind: type[Kind]) -> list[Kind]:
    return [record for record in records if isinstance(record, kind)]


def sums(records: list[AnyRecord]) -> dict[str, object]:
    """Totals of the records, by the names of the summary."""
    faults = of_kind(records, Fault)
    forks = [fork for fork in of_kind(records, Fork) if not fork.shares_memory]
    outcomes = Counter(fault.outcome for fault in faults)
    written = sum((f.pte_before != f.pte_after) + len(f.around) for f in faults)
    written += sum(HUGE_FRAMES for fault in faults if fault.split)
    resizes = Counter(each.huge for each in of_kind(records, PageSize))
    return {
        "faults": dict(outcomes),
        "forks": len(forks),
        "mapped_around": sum(len(fault.around) for fault in faults),
        "huge_mapped": sum(f.huge and f.outcome in ("zero_filled", "copied") for f in faults),
        "huge_split": sum(fault.split for fault in faults) + resizes[False],
        "huge_collapsed": resizes[True],
        "huge_collapse_copies": sum(each.copied for each in of_kind(records, PageSize)),
        "frames_copied": sum(fork.frames_copied for fork in forks)
        + _pages(faults, "copied")
        + sum(each.copied for each in of_kind(records, PageSize)),
        "frames_reused": _pages(faults, "reused"),
        "tables_shared": sum(fork.tables_shared for fork in forks),
        "tables_copied": sum(fault.table_copied for fault in faults),
        "middle_tables_shared": sum(fork.middle_tables_shared for fork in forks),
        "middle_tables_copied": sum(fault.middle_copied for fault in faults),
        "eager_frames_copied": sum(fork.eager_copies for fork in forks),
        "ptes_written": sum(fork.ptes_written for fork in forks) + written,
    }


def _pages(faults: list[Fault], outcome: str) -> int:
    return sum(fault.pages for fault in faults if fault.outcome == outcome)


def counts(run: Recorded) -> dict[str, object]:
    """The same totals from the summary."""
    totals = {name: run.summary[name] for name in sums([])}
    return totals | {"faults": {name: n for name, n in run.summary["faults"].items() if n}}


def copies_without_one_end(records: list[AnyRecord]) -> list[int]:
    """Sequence numbers of copies without exactly one copy_end."""
    copies = Counter(fault.seq for fault in of_kind(records, Fault) if fault.outcome in COPIES)
    copies.subtract(end.fault for end in of_kind(records, CopyEnd))
    return [seq for seq, left in copies.items() if left]


def contradictions(fault: Fault) -> list[str]:
    """Names of the fields of a fault that contradict each other."""
    return [what for what, right in _agreements(fault) if not right]


def _agreements(f: Fault) -> Iterator[tuple[str, bool]]:
    yield "frame_before", f.frame_before == (ppn(f.pte_before) if f.pte_before & V else 0)
    yield "frame_after", f.frame_after == (ppn(f.pte_after) if f.pte_after & V else 0)
    yield "count_before", bool(f.count_before) == bool(f.frame_before)
    yield "count_after", bool(f.count_after) == bool(f.frame_after)
    yield "flags", bool(f.flags_before) == bool(f.pte_before & V)
    yield from _walk(f)
    yield "stval in vma", f.vma is None or f.vma.start <= f.stval < f.vma.end
    yield "no vma", (f.vma is None) == (f.outcome == "segv_maperr")
    yield "huge or split", not (f.huge and f.split) and (f.pages == HUGE_FRAMES) == f.huge
    if f.huge:
        inside = f.vma is not None and f.vma.start <= f.first_page <= f.vma.end - HUGE_SIZE
        yield "huge page in vma", inside
        yield "aligned frames", f.frame_after % HUGE_FRAMES == vpn(f.stval, 0)
    if f.outcome in FAILED:
        yield "failed", f.pte_before == f.pte_after
    if f.outcome in NEW:
        yield "new frame", f.count_after == 1 and f.frame_after != f.frame_before
    if f.outcome == "copied":
        # A page of a split huge page is also copied when another one of it has a second user.
        yield "shared", len(f.sharers) >= min(LAST, f.count_before - 1)
    if f.outcome == "reused":
        yield "reused", f.frame_before == f.frame_after and f.count_before == f.count_after == 1


def _walk(f: Fault) -> Iterator[tuple[str, bool]]:
    if not f.walk:
        yield "walk", f.stval >= 1 << 38 and not f.pte_before
        return
    last = f.walk[-1]
    if last.level == 1 and is_leaf(last.pte or 0):
        own = (last.pte or 0) + (vpn(f.stval, 0) << PPN_SHIFT)
        yield "walk's huge leaf", (own, last.flags) == (f.pte_before, f.flags_before)
        yield "huge before", f.huge or f.split or f.outcome in FAILED
    elif last.level:
        yield "walk ends above", not f.pte_before and not (last.pte or 0) & V
    else:
        yield "walk's last", (last.pte, last.flags) == (f.pte_before, f.flags_before)
    yield "levels", [entry.level for entry in f.walk] == [2, 1, 0][: len(f.walk)]
    for entry, lower in zip(f.walk, f.walk[1:], strict=False):
        yield "walk's way", ppn(entry.pte or 0) == lower.address >> 12
