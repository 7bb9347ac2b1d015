"""Collects the copy-on-write profile of a run from its records.

Each copied and each reused page is attributed to a fork, by the rule in
:mod:`emu.observe.analysis.process_lineage`, and to the source line of the store. If the store has
none (a library without debug information, or the kernel during a system call), the nearest caller
with a line is used.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from emu.observe.analysis.cow_profile import (
    PAGE_SIZE,
    CowProfile,
    FewBytes,
    ForkShare,
    Side,
    Site,
    Usage,
)
from emu.observe.analysis.process_lineage import Lineage, Memory, Shared
from emu.observe.model import records
from emu.observe.model.records import AnyRecord, SourceLocation
from emu.observe.model.source_location import function_name, with_line
from kernel.mm.outcome import Outcome

_CALLS_NAMED = 3


def profile(trace: Iterable[AnyRecord]) -> CowProfile:
    """The profile of a whole trace."""
    collector = CowCollector()
    for record in trace:
        collector(record)
    return collector.result()


@dataclass(slots=True)
class _Copy:
    """A copied page that is still in use."""

    fault: records.Fault
    fork: ForkShare | None
    sites: list[Site]


@dataclass(slots=True)
class _Sites:
    """Sites by their identity: name, file, line and callee."""

    by_key: dict[tuple[str, str, int, str], Site] = field(default_factory=dict)

    def find(self, name: str, file: str = "", line: int = 0, via: str = "") -> Site:
        key = name, file, line, via
        site = self.by_key.get(key)
        if site is None:
            site = self.by_key[key] = Site(name, file, line, via)
        return site

    def ranked(self) -> list[Site]:
        return sorted(
            self.by_key.values(),
            key=lambda s: (-s.bytes_copied, s.bytes_changed, s.file, s.line, s.name, s.via),
        )


class CowCollector:
    """A sink for the records of a run; ``result`` returns the profile so far."""

    def __init__(self) -> None:
        self._profile = CowProfile()
        self._lineage = Lineage()
        self._forks: dict[int, ForkShare] = {}
        self._in_use: dict[int, _Copy] = {}
        self._files: set[int] = set()
        self._usage: dict[Memory, Usage] = {}
        self._few: dict[tuple[int, str, str], FewBytes] = {}
        self._lines, self._functions = _Sites(), _Sites()
        self._mappings, self._heap = _Sites(), _Sites()

    def __call__(self, record: AnyRecord) -> None:
        if isinstance(record, records.Fault):
            self._fault(record)
        self._lineage(record)
        match record:
            case records.Fork(shares_memory=False):
                self._fork(record)
            case records.CopyEnd():
                self._copy_end(record)
            case records.PageSize():
                self._page_size(record)
            case records.Sample():
                self._sample(record)
            case records.Start():
                self._profile.fork_policy = record.fork_policy
            case records.End():
                self._profile.summary = record.summary

    def result(self) -> CowProfile:
        profile = self._profile
        profile.copies_without_end = len(self._in_use)
        profile.forks = list(self._forks.values())
        profile.lines, profile.functions = self._lines.ranked(), self._functions.ranked()
        profile.mappings, profile.heap = self._mappings.ranked(), self._heap.ranked()
        profile.for_few = sorted(
            self._few.values(), key=lambda few: (-few.copies, few.bytes_changed, few.address)
        )
        profile.memory = list(self._usage.values())
        return profile

    def _fork(self, record: records.Fork) -> None:
        place = with_line(record.place or SourceLocation(0), record.backtrace)
        share = ForkShare(
            number=len(self._forks) + 1,
            seq=record.seq,
            time=record.time,
            parent=record.pid,
            child=record.child,
            function=place.function,
            file=place.file,
            line=place.line,
            pages_shared=record.pages_shared,
            tables_shared=record.tables_shared,
            frames_copied=record.frames_copied,
            eager_copies=record.eager_copies,
            bytes_copied=record.frames_copied * PAGE_SIZE,
        )
        self._forks[share.number] = share
        profile = self._profile
        profile.frames_copied += record.frames_copied
        profile.bytes_copied += record.frames_copied * PAGE_SIZE
        profile.eager_copies += record.eager_copies

    def _fault(self, fault: records.Fault) -> None:
        self._profile.mapped_around += len(fault.around)
        if fault.huge or fault.split:
            self._huge(fault)
        match fault.outcome:
            case Outcome.COPIED:
                self._copy(fault)
            case Outcome.REUSED:
                self._profile.reused += fault.pages
                self._side(fault.pid, self._lineage.fork_of(fault)).reused += fault.pages
            case Outcome.FILE_COPIED:
                self._profile.file_copied += 1
                self._files.add(fault.seq)

    def _huge(self, fault: records.Fault) -> None:
        profile = self._profile
        profile.huge_split += fault.split
        profile.huge_split_by_store += fault.split
        if fault.huge:
            profile.huge_copied += fault.outcome == Outcome.COPIED
            profile.huge_mapped += fault.outcome in (Outcome.COPIED, Outcome.ZERO_FILLED)

    def _copy(self, fault: records.Fault) -> None:
        profile = self._profile
        fork = self._lineage.fork_of(fault)
        self._side(fault.pid, fork).copied += fault.pages
        share = self._forks[fork.number] if fork is not None else None
        copy = _Copy(fault, share, self._sites(fault))
        for site in copy.sites:
            site.copies += 1
            site.bytes_copied += fault.pages * PAGE_SIZE
        if share is not None:
            share.bytes_copied += fault.pages * PAGE_SIZE
        profile.copied += fault.pages
        profile.frames_copied += fault.pages
        profile.bytes_copied += fault.pages * PAGE_SIZE
        self._in_use[fault.seq] = copy

    def _page_size(self, record: records.PageSize) -> None:
        profile = self._profile
        profile.huge_collapsed += record.huge
        profile.huge_split += not record.huge
        if not record.copied:
            return
        profile.collapse_copies += record.copied
        profile.frames_copied += record.copied
        copied = record.copied * PAGE_SIZE
        place = record.place or SourceLocation(0)
        name = function_name(place)
        for site in (
            self._lines.find(name, place.file, place.line, record.call),
            self._functions.find(name),
            self._mappings.find(mapping_name(record.vma)),
        ):
            site.copies += 1
            site.bytes_copied += copied
        profile.bytes_copied += copied
        fork = self._lineage.of(record.pid).latest
        self._side(record.pid, fork).copied += record.copied
        if fork is not None:
            self._forks[fork.number].bytes_copied += copied

    def _side(self, pid: int, fork: Shared | None) -> Side:
        if fork is None:
            return self._profile.without_fork
        share = self._forks[fork.number]
        is_child = self._lineage.of(pid) is fork.child
        return share.by_child if is_child else share.by_parent

    def _sites(self, fault: records.Fault) -> list[Site]:
        return [
            self._line_site(fault),
            self._functions.find(function_name(fault.place)),
            self._mappings.find(mapping_name(fault.vma)),
            *([self._heap_site(fault)] if fault.heap else []),
        ]

    def _line_site(self, fault: records.Fault) -> Site:
        place = with_line(fault.place, fault.backtrace)
        via = fault.in_kernel or ("" if place is fault.place else function_name(fault.place))
        return self._lines.find(function_name(place), place.file, place.line, via)

    def _heap_site(self, fault: records.Fault) -> Site:
        """Without a source line, the innermost functions, because the first is often a wrapper of
        malloc.
        """
        place = with_line(fault.heap[0], fault.heap)
        if place.line:
            return self._heap.find(function_name(place), place.file, place.line)
        return self._heap.find(" ← ".join(map(function_name, fault.heap[:_CALLS_NAMED])))

    def _copy_end(self, record: records.CopyEnd) -> None:
        profile, changed = self._profile, record.bytes_changed
        if record.fault in self._files:
            self._files.discard(record.fault)
            profile.file_bytes_changed += changed
            return
        copy = self._in_use.pop(record.fault, None)
        if copy is None:
            return
        profile.bytes_changed += changed
        for site in copy.sites:
            site.bytes_changed += changed
        if copy.fork is not None:
            copy.fork.bytes_changed += changed
        if changed <= profile.few_bytes:
            few = self._few_bytes(copy)
            few.copies += 1
            few.bytes_changed += changed

    def _few_bytes(self, copy: _Copy) -> FewBytes:
        page, where = copy.fault.first_page, site_text(copy.sites[0])
        mapping = mapping_name(copy.fault.vma)
        key = page, mapping, where
        if key not in self._few:
            self._few[key] = FewBytes(page, mapping, where)
        return self._few[key]

    def _sample(self, record: records.Sample) -> None:
        memory = self._lineage.of(record.pid)
        usage = self._usage.get(memory)
        if usage is None:
            usage = self._usage[memory] = Usage(record.pid, memory.name)
        usage.time.append(record.time)
        usage.resident.append(record.resident)
        usage.proportional.append(record.proportional)
        usage.unique.append(record.unique)


def mapping_name(vma: records.Range | None) -> str:
    """The name of the mapping with its permissions; its start address if it has no name."""
    if vma is None:
        return "[none]"
    return f"{vma.name or f'anonymous {vma.start:#x}'} {vma.rights}"


def site_text(site: Site) -> str:
    """Such as ``counter.c:12 count (memset)``."""
    where = f"{site.file.rpartition('/')[2]}:{site.line} " if site.line else ""
    return f"{where}{site.name}" + (f" ({site.via})" if site.via else "")
