"""The story of one page in every process that had it, from the records of a run.

A chapter tells of the page in one image of a process, step by step, each with the page-table entry
and the count of the frame's holders before and after. Between page faults these come from the
records of a watched page; in a trace without them they are told as the next page fault finds them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from emu.machine.pte import W
from emu.observe.analysis.process_lineage import Lineage, Memory, among
from emu.observe.model import records
from emu.observe.model.outcomes import in_line
from emu.observe.model.records import AnyRecord, Range, SourceLocation
from emu.observe.model.source_location import where_text


class PageState(NamedTuple):
    """A PTE and how many hold its frame; ``holders`` of 0 are not known, or the zero page's."""

    pte: int = 0
    frame: int = 0
    flags: str = ""
    holders: int = 0


_NONE = PageState()


class Step(msgspec.Struct, omit_defaults=True):
    """What happened at ``time``; ``text`` says it in words. No ``after``: the page stayed as is."""

    seq: int
    time: int
    text: str
    before: PageState | None = None
    after: PageState | None = None


@dataclass(eq=False, slots=True)
class Episode:
    """The page in one image of a process; ``origin`` is that of the process it was forked from."""

    memory: Memory
    origin: Episode | None = None
    steps: list[Step] = field(default_factory=list)
    range: Range | None = None
    state: PageState = _NONE
    touched: bool = False


class PageHistory:
    """A sink for the records of a run. ``page`` may be set late, but before the page is mapped."""

    def __init__(self, page: int = -1) -> None:
        self.page = page
        self.chapters: list[Episode] = []
        """Of every image that had the page mapped, in the order in which they came."""
        self.ranges: dict[tuple[int, int], Range] = {}
        """All ranges that ever were mapped."""
        self.was_mapped = False
        self._lineage = Lineage()
        self._of: dict[Memory, Episode] = {}
        self._loading: dict[int, list[records.Fault]] = {}
        self._cause = ""
        self._at = -1

    def __call__(self, record: AnyRecord) -> None:
        match record:
            case records.Fork():
                self._lineage(record)
                self._forked(record)
            case records.Exec():
                self._ended(record.pid, record, f"let go of: exec of {record.path}")
                self._lineage(record)
                self._execed(record)
            case records.Exit():
                self._ended(record.pid, record, f"let go of: exit, status {record.status}")
                self._lineage(record)
            case records.Fault():
                self._fault(record)
            case records.Page():
                self._changed(record)
            case records.Map():
                self._mapped(record)
            case records.Clear() | records.Unmap():
                self._gone(record)
            case records.Move():
                self._moved(record)
        self._remember_cause(record)

    def _chapter(self, pid: int) -> Episode:
        memory = self._lineage.of(pid)
        chapter = self._of.get(memory)
        if chapter is None:
            origin = memory.origin.parent if memory.origin is not None else None
            chapter = self._of[memory] = Episode(memory, self._of.get(origin) if origin else None)
        return chapter

    def _tell(self, chapter: Episode, record: AnyRecord, text: str) -> Step:
        if not chapter.steps:
            self.chapters.append(chapter)
        step = Step(record.seq, record.time, text)
        chapter.steps.append(step)
        return step

    def _covers(self, start: int, end: int) -> bool:
        return start <= self.page < end

    # Mappings.

    def _execed(self, record: records.Exec) -> None:
        chapter = self._chapter(record.pid)
        for each in record.maps:
            self.ranges[each.start, each.end] = each
            if self._covers(each.start, each.end):
                chapter.range, self.was_mapped = each, True
                text = f"mapped {_range(each)} by exec of {record.path}"
                self._tell(chapter, record, text)
        for fault in self._loading.pop(record.pid, []):
            if fault.page == self.page:
                self._touched(chapter, fault)

    def _mapped(self, record: records.Map) -> None:
        new = record.range
        self.ranges[new.start, new.end] = new
        if not self._covers(new.start, new.end):
            return
        chapter = self._chapter(record.pid)
        had, chapter.range, self.was_mapped = chapter.range, new, True
        by = _by(record.call, record.place) or ", as the stack grew"
        if had is None:
            self._tell(chapter, record, f"mapped {_range(new)}{by}")
        elif had.rights != new.rights:
            self._tell(chapter, record, f"rights now {new.rights}, were {had.rights}{by}")

    def _gone(self, record: records.Clear | records.Unmap) -> None:
        if not self._covers(record.start, record.end):
            return
        chapter, by = self._chapter(record.pid), _by(record.call, record.place)
        if isinstance(record, records.Clear):
            if chapter.state.pte:
                self._let_go(chapter, record, f"let go of{by}")
        elif chapter.range is not None:
            chapter.range = None
            self._tell(chapter, record, f"unmapped{by}")

    def _moved(self, record: records.Move) -> None:
        chapter, by = self._chapter(record.pid), _by(record.call, record.place)
        if self._covers(record.start, record.end):
            to = self.page - record.start + record.to
            self._let_go(chapter, record, f"moved to {to:#x}{by}")
            chapter.range = None
        size = record.end - record.start
        if self._covers(record.to, record.to + size):
            source = self.page - record.to + record.start
            self._tell(chapter, record, f"moved here from {source:#x}{by}")

    def _let_go(self, chapter: Episode, record: AnyRecord, text: str) -> None:
        step = self._tell(chapter, record, text)
        if chapter.state.pte:
            step.before, step.after = chapter.state, _NONE
            chapter.state = _NONE

    # Processes.

    def _forked(self, record: records.Fork) -> None:
        parent = self._of.get(self._lineage.of(record.pid))
        if parent is None or (parent.range is None and not parent.state.pte):
            return
        at = f" at {where_text(record.place, record.backtrace)}" if record.place else ""
        if record.shares_memory:
            self._tell(parent, record, f"pid {record.child} borrows the memory (vfork){at}")
            return
        self._tell(parent, record, f"{_forks(parent, record, self.page)} pid {record.child}{at}")
        if among(record.left_out, self.page):
            return
        child, wiped = self._chapter(record.child), among(record.wiped, self.page)
        child.range, child.touched = parent.range, parent.touched and not wiped
        without = " without the page (MADV_WIPEONFORK)" if wiped else ""
        self._tell(child, record, f"inherited from pid {record.pid}{without}{at}")

    def _ended(self, pid: int, record: AnyRecord, text: str) -> None:
        memory = self._lineage.of(pid)
        chapter = self._of.get(memory)
        if chapter is None or not chapter.state.pte:
            return
        if not self._lineage.lives_on(pid):
            self._let_go(chapter, record, text)
        elif memory.pid == pid:
            self._tell(chapter, record, text.replace("let go of", "left to others", 1))

    # The page itself.

    def _fault(self, fault: records.Fault) -> None:
        if fault.loading:
            self._loading.setdefault(fault.pid, []).append(fault)
        elif fault.page == self.page:
            self._touched(self._chapter(fault.pid), fault)
        self._lineage(fault)

    def _touched(self, chapter: Episode, fault: records.Fault) -> None:
        first = "" if chapter.touched else "first touched, "
        borrower = "" if fault.pid == chapter.memory.pid else f" (pid {fault.pid})"
        text = (
            f"{first}{fault.access} to {fault.stval:#x} by {_storer(fault)}{borrower}: "
            f"{in_line(fault.outcome)}"
        )
        if fault.table_copied:
            text += "; its leaf table was shared, and copied first"
        step = self._tell(chapter, fault, text)
        zero = fault.outcome == "zero_shared"
        step.before = PageState(
            fault.pte_before, fault.frame_before, fault.flags_before, fault.count_before
        )
        if chapter.state.pte == fault.pte_before and not chapter.state.holders:
            step.before = chapter.state  # the zero page
        step.after = PageState(
            fault.pte_after, fault.frame_after, fault.flags_after, 0 if zero else fault.count_after
        )
        chapter.state, chapter.touched = step.after, True

    def _changed(self, record: records.Page) -> None:
        """A watched page: completes the step that changed it, or tells who else did."""
        chapter = self._chapter(record.pid)
        new = PageState(record.pte, record.frame, record.flags, record.count)
        if record.address != self.page or new == chapter.state:
            return
        step = chapter.steps[-1] if chapter.steps else None
        if step is None or step.seq != self._at or step.after is not None:
            step = self._tell(chapter, record, self._cause)
        step.before, step.after = chapter.state, new
        chapter.state = new

    def _remember_cause(self, record: AnyRecord) -> None:
        """What a change of the page in another process is put down to."""
        match record:
            case records.Page() | records.Sample() | records.CopyEnd() | records.Start():
                return
            case records.Exit():
                self._cause = f"pid {record.pid} ended"
            case records.Fork():
                self._cause = f"pid {record.pid} forked pid {record.child}"
            case records.Exec():
                self._cause = f"pid {record.pid} has another image"
            case records.Fault():
                self._cause = f"pid {record.pid} {_does(record, self.page)}"
            case records.Map() | records.Unmap() | records.Clear() | records.Move():
                self._cause = f"pid {record.pid} changed its mappings"
        self._at = record.seq


def _forks(parent: Episode, fork: records.Fork, page: int) -> str:
    """What a fork does with a page; an eager one copies what may be stored to."""
    if among(fork.left_out, page):
        return "left out (MADV_DONTFORK) by fork of"
    if among(fork.wiped, page):
        return "kept back (MADV_WIPEONFORK) by fork of"
    if not parent.state.pte:
        return "not there yet at the fork of"
    kept_back = [*fork.left_out, *fork.wiped]  # no leaf table with such a page is shared
    private = parent.range is None or parent.range.rights.endswith("p")
    if fork.frames_copied and private and parent.state.pte & W:
        return "kept, and copied at once for the child, at the fork of"
    apart = any(each.start >> 21 <= page >> 21 <= each.end - 1 >> 21 for each in kept_back)
    with_table = fork.tables_shared and not apart
    return f"shared{', with its leaf table,' if with_table else ''} by fork of"


def _storer(fault: records.Fault) -> str:
    where = where_text(fault.place, fault.backtrace)
    if not fault.call:
        return f"kernel, for a signal at {where}" if fault.signal else where
    return f"kernel, {fault.call}, for {where}" if fault.place.pc else f"kernel, {fault.call}"


def _does(fault: records.Fault, page: int) -> str:
    if fault.page != page:
        return f"has its own copy of the leaf table, for its {fault.access} to {fault.stval:#x}"
    return "has a copy of its own" if fault.outcome == "copied" else "touched it"


def _by(call: str, place: SourceLocation | None) -> str:
    if not call:
        return ""
    return f" by {call}" + (f" at {where_text(place)}" if place is not None and place.pc else "")


def _range(mapped: Range) -> str:
    name = f" {mapped.name}" if mapped.name else ""
    return f"{mapped.rights} in {mapped.start:#x}-{mapped.end:#x}{name}"
